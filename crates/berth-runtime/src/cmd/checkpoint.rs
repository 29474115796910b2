//! `checkpoint`: writes a running container into an image directory, through CRIU; the container is gone then,
//! unless it is left running.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use berth_cgroup::Cgroup;

use super::args::{Args, unknown, usage};
use super::{Global, delete};
use crate::criu::{Given, cgroups_mode, checkpoint};
use crate::error::{Error, Result, step};
use crate::namespaces::is_real_root;
use crate::state::Status;

/// Where an image is, if nobody says.
const DEFAULT_IMAGE: &str = "checkpoint";

/// Takes the option if `checkpoint` and `restore` share it.
pub(super) fn take(given: &mut Given, option: &str, args: &mut Args) -> Result<bool> {
    match option {
        "--image-path" => given.image = args.value()?.into(),
        "--work-path" => given.work = args.value()?.into(),
        "--tcp-established" => given.tcp_established = args.flag()?,
        "--ext-unix-sk" => given.ext_unix_sk = args.flag()?,
        "--shell-job" => given.shell_job = args.flag()?,
        "--lazy-pages" => given.lazy_pages = args.flag()?,
        "--file-locks" => given.file_locks = args.flag()?,
        "--auto-dedup" => given.auto_dedup = args.flag()?,
        "--manage-cgroups-mode" => {
            given.cgroups_mode = cgroups_mode(&args.value()?)
                .ok_or_else(|| usage("Invalid manage-cgroups-mode value".to_owned()))?;
        }
        // The network's is always made empty; of no other does CRIU do so.
        "--empty-ns" => {
            let word = args.value()?;
            if word != "network" {
                return Err(usage(format!("namespace \"{word}\" is not supported")));
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// What is asked before the options are read.
pub(super) fn defaults() -> Given {
    Given {
        image: DEFAULT_IMAGE.into(),
        cgroups_mode: cgroups_mode("").unwrap_or_default(),
        ..Given::default()
    }
}

/// CRIU needs every right over the processes and their host.
///
/// # Errors
/// [`Error::Unsupported`].
pub(super) fn need_root() -> Result<()> {
    match is_real_root() {
        true => Ok(()),
        false => Err(Error::Unsupported {
            what: "checkpoint and restore without root",
        }),
    }
}

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let (given, ready) = parse(&mut args)?;
    let id = args.only_operand("the container's id")?;
    need_root()?;
    let dir = global.root.find(&id)?;
    let (record, status) = dir.known("checkpoint")?;
    if !matches!(status, Status::Running | Status::Paused) {
        return Err(Error::WrongState {
            verb: "checkpoint",
            id,
            status: status.word(),
        });
    }
    let (spec, cgroup) = (dir.spec()?, Cgroup::open(&record.cgroups)?);
    checkpoint::checkpoint(&spec, &record, &cgroup, &given, ready)?;
    if !given.leave_running && !given.pre_dump {
        delete::kill(&record, &cgroup)?;
        delete::clean_up(dir, &spec, &record.bundle, &cgroup, record.unit.as_ref())?;
    }
    Ok(0)
}

/// What is asked, and who is to be told that pages can be fetched.
fn parse(args: &mut Args) -> Result<(Given, Option<OwnedFd>)> {
    let (mut given, mut ready) = (defaults(), None);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "--leave-running" => given.leave_running = args.flag()?,
            "--tcp-skip-in-flight" => given.tcp_skip_in_flight = args.flag()?,
            "--link-remap" => given.link_remap = args.flag()?,
            "--pre-dump" => given.pre_dump = args.flag()?,
            "--parent-path" => given.parent = Some(args.value()?).filter(|path| !path.is_empty()),
            "--page-server" => given.page_server = page_server(&args.value()?)?,
            "--status-fd" => ready = status_fd(&args.value()?)?,
            other if take(&mut given, other, args)? => {}
            other => return Err(unknown(other)),
        }
    }
    if let Some(parent) = &given.parent {
        check_parent(&given.image, Path::new(parent))?;
    }
    Ok((given, ready))
}

fn check_parent(image: &Path, parent: &Path) -> Result<()> {
    if parent.is_absolute() {
        return Err(usage("--parent-path must be relative".to_owned()));
    }
    let path: PathBuf = image.join(parent);
    match path.is_dir() {
        true => Ok(()),
        false => Err(usage(format!(
            "invalid --parent-path: {} is no directory",
            path.display()
        ))),
    }
}

fn page_server(text: &str) -> Result<Option<(String, u16)>> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || usage("Use --page-server ADDRESS:PORT to specify page server".to_owned());
    let (address, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    // An IPv6 address is in brackets.
    let address = address.trim_start_matches('[').trim_end_matches(']');
    let port = port
        .parse()
        .map_err(|_| usage("Invalid port number".to_owned()))?;
    match address.is_empty() {
        true => Err(wrong()),
        false => Ok(Some((address.to_owned(), port))),
    }
}

fn status_fd(text: &str) -> Result<Option<OwnedFd>> {
    match text.parse() {
        Ok(-1) => Ok(None),
        Ok(number @ 3..) => berth_sys::process::inherited_fd(number)
            .map(Some)
            .map_err(|e| step("use --status-fd", e)),
        _ => Err(usage(format!("invalid --status-fd argument {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Given> {
        let words = line.split_whitespace().map(str::to_owned).collect();
        parse(&mut Args::new(words)).map(|(given, _)| given)
    }

    #[test]
    fn options_of_other_runtimes_are_known() {
        let given = parsed(
            "--image-path /i --work-path /w --leave-running --tcp-established --ext-unix-sk --shell-job \
             --lazy-pages --status-fd -1 --page-server 10.0.0.1:77 --file-locks --pre-dump \
             --manage-cgroups-mode soft --empty-ns network --auto-dedup --link-remap --tcp-skip-in-flight",
        )
        .unwrap();
        assert!(given.leave_running && given.lazy_pages && given.pre_dump && given.link_remap);
        assert_eq!(given.page_server, Some(("10.0.0.1".to_owned(), 77)));
        assert_eq!(given.cgroups_mode, 3);
        assert_eq!(parsed("").unwrap().image, Path::new("checkpoint"));
        let v6 = parsed("--page-server [::1]:77").unwrap();
        assert_eq!(v6.page_server, Some(("::1".to_owned(), 77)));
    }

    #[test]
    fn mistakes_are_told() {
        for line in [
            "--page-server x",
            "--page-server :1",
            "--page-server a:b",
            "--manage-cgroups-mode x",
            "--empty-ns pid",
            "--parent-path /abs",
            "--parent-path nosuch",
            "--status-fd x",
            "--status-fd 1",
            "--status-fd 1000",
            "--detach",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
