//! What CRIU is asked: the options of both verbs, and the numbers of its messages' fields.
//!
//! Source: images/rpc.proto of CRIU 3.17, `criu_opts`; runc 1.3, checkpoint.go.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::path::PathBuf;

use super::wire::Message;

/// Kinds of requests and replies.
pub(super) mod kind {
    pub(in crate::criu) const DUMP: i32 = 1;
    pub(in crate::criu) const RESTORE: i32 = 2;
    pub(in crate::criu) const PRE_DUMP: i32 = 4;
    pub(in crate::criu) const NOTIFY: i32 = 6;
    pub(in crate::criu) const FEATURE_CHECK: i32 = 9;
    pub(in crate::criu) const VERSION: i32 = 10;
}

/// CRIU makes this namespace and leaves it empty: devices of a network are their maker's.
const CLONE_NEWNET: i64 = 0x4000_0000;

/// Its own settings for containers, as other runtimes have them; an annotation names another file.
const CONFIG_FILE: &str = "/etc/criu/runc.conf";
const CONFIG_ANNOTATION: &str = "org.criu.config";

/// Everything, with what was done at each step.
const LOG_LEVEL: i64 = 4;

/// What the caller asks for.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// Where the image is.
    pub(crate) image: PathBuf,
    /// Where logs and work files go; the image directory if empty.
    pub(crate) work: PathBuf,
    /// An earlier image, relative to this one.
    pub(crate) parent: Option<String>,
    pub(crate) leave_running: bool,
    pub(crate) tcp_established: bool,
    pub(crate) tcp_skip_in_flight: bool,
    pub(crate) link_remap: bool,
    pub(crate) ext_unix_sk: bool,
    pub(crate) shell_job: bool,
    pub(crate) lazy_pages: bool,
    pub(crate) file_locks: bool,
    pub(crate) auto_dedup: bool,
    pub(crate) pre_dump: bool,
    /// `criu_cg_mode`.
    pub(crate) cgroups_mode: i32,
    /// Address and port.
    pub(crate) page_server: Option<(String, u16)>,
    pub(crate) lsm_profile: Option<String>,
    pub(crate) lsm_mount_context: Option<String>,
}

/// `criu_cg_mode` of a word; empty is CRIU's own choice.
pub(crate) fn cgroups_mode(word: &str) -> Option<i32> {
    Some(match word {
        "" => 6,
        "ignore" => 0,
        "soft" => 3,
        "full" => 4,
        "strict" => 5,
        _ => return None,
    })
}

/// `criu_opts` in the making.
#[derive(Debug)]
pub(super) struct Opts(Message);

impl Opts {
    /// What both verbs tell. The descriptors are this process's: CRIU opens them by way of /proc.
    pub(super) fn new(given: &Given, image: BorrowedFd<'_>, work: Option<BorrowedFd<'_>>) -> Opts {
        let mut opts = Message::default();
        opts.number(1, image.as_raw_fd());
        opts.flag(4, given.ext_unix_sk);
        opts.flag(5, given.tcp_established);
        opts.flag(7, given.shell_job);
        opts.flag(8, given.file_locks);
        opts.number(9, LOG_LEVEL);
        opts.flag(12, true); // tell of each stage
        opts.flag(16, given.auto_dedup);
        if let Some(work) = work {
            opts.number(17, work.as_raw_fd());
        }
        opts.flag(24, true); // manage cgroups, before there was a mode
        opts.number(34, given.cgroups_mode);
        opts.number(38, CLONE_NEWNET);
        opts.flag(48, given.lazy_pages);
        opts.flag(50, true); // terminals whose master is outside
        Opts(opts)
    }

    /// What dumping adds.
    pub(super) fn dump(&mut self, given: &Given, pid: i32) {
        let opts = &mut self.0;
        opts.number(2, pid);
        opts.flag(3, given.leave_running);
        opts.flag(18, given.link_remap);
        opts.flag(46, given.tcp_skip_in_flight);
        if let Some((address, port)) = &given.page_server {
            let mut server = Message::default();
            server.text(1, address);
            server.number(2, *port);
            opts.message(11, &server);
        }
        if let Some(parent) = &given.parent {
            opts.text(14, parent);
            opts.flag(15, true); // track which pages change
        }
    }

    /// What restoring adds.
    pub(super) fn restore(&mut self, given: &Given) {
        let opts = &mut self.0;
        opts.flag(6, true); // devices that moved are taken by name
        opts.flag(26, true); // the restored process is this one's child
        for (field, value) in [(53, &given.lsm_profile), (63, &given.lsm_mount_context)] {
            if let Some(value) = value {
                opts.text(field, value);
            }
        }
    }

    pub(super) fn log_file(&mut self, name: &str) {
        self.0.text(10, name);
    }

    pub(super) fn root(&mut self, path: &[u8]) {
        self.0.text(13, path);
    }

    pub(super) fn freeze_cgroup(&mut self, path: &[u8]) {
        self.0.text(44, path);
    }

    /// A mount that is not the container's own: its name in the image, or where to take it from.
    pub(super) fn external_mount(&mut self, key: &str, value: &str) {
        self.pair(23, key, value);
    }

    /// Something else that is not the container's own.
    pub(super) fn external(&mut self, key: &str) {
        self.0.text(37, key);
    }

    pub(super) fn cgroup_root(&mut self, controllers: &str, path: &str) {
        self.pair(25, controllers, path);
    }

    pub(super) fn join_namespace(&mut self, name: &str, path: &str) {
        self.pair(39, name, path);
    }

    /// `number`: CRIU's own descriptor, which it was started with.
    pub(super) fn inherit(&mut self, key: &str, number: i32) {
        let mut inherited = Message::default();
        inherited.text(1, key);
        inherited.number(2, number);
        self.0.message(27, &inherited);
    }

    pub(super) fn config_file(&mut self, annotations: &std::collections::BTreeMap<String, String>) {
        match annotations.get(CONFIG_ANNOTATION).map(String::as_str) {
            Some("") => {}
            named => self.0.text(51, named.unwrap_or(CONFIG_FILE)),
        }
    }

    /// The request.
    pub(super) fn request(&self, kind: i32) -> Message {
        let mut request = Message::default();
        request.number(1, kind);
        request.message(2, &self.0);
        request
    }

    fn pair(&mut self, field: u32, key: &str, value: &str) {
        let mut pair = Message::default();
        pair.text(1, key);
        pair.text(2, value);
        self.0.message(field, &pair);
    }
}
