//! The host's name servers, read again when its file changes.

use std::fs::Metadata;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use crate::Servers;

const RESOLV: &str = "/etc/resolv.conf";
/// How old what is known of the file may be.
const FRESH: Duration = Duration::from_millis(200);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Host {
    servers: Servers,
    stamp: Option<Stamp>,
    looked: Option<Instant>,
}

type Stamp = (u64, u64, i64, i64, u64);

impl Host {
    /// As they are now.
    pub(super) fn servers(&mut self, now: Instant) -> &mut Servers {
        if self.looked.is_none_or(|looked| now - looked >= FRESH) {
            self.looked = Some(now);
            let stamp = std::fs::metadata(RESOLV).ok().map(|file| stamp(&file));
            if stamp != self.stamp {
                self.stamp = stamp;
                let text = std::fs::read(RESOLV).unwrap_or_default();
                self.servers = Servers::in_text(&String::from_utf8_lossy(&text), device);
            }
        }
        &mut self.servers
    }

    /// Whether a server answered.
    pub(super) fn note(&mut self, server: SocketAddr, answered: bool, now: Instant) {
        self.servers.note(server, answered, now);
    }
}

fn stamp(file: &Metadata) -> Stamp {
    (
        file.dev(),
        file.ino(),
        file.mtime(),
        file.mtime_nsec(),
        file.size(),
    )
}

fn device(name: &str) -> Option<u32> {
    if name.contains('/') {
        return None;
    }
    let number = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex")).ok()?;
    number.trim().parse().ok()
}
