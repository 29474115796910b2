//! The engine's socket: one packet, one answer.
//!
//! ```text
//! {"look":"<container's id>"}    with its network namespace: serve it as its dns.json says
//! {"forget":"<container's id>"}  let go of it
//! {}  or  {"error":"…"}          done, or why not
//! ```

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use berth_model::ContainerId;
use berth_model::error::causes;
use berth_sys::fdpass;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with,
    sockopt,
};
use serde::{Deserialize, Serialize};

use super::Keeper;
use super::key::{Key, Kind};

/// The socket's name in the resolver's directory.
pub(crate) const NAME: &str = "sock";
/// Bytes of a packet.
pub(crate) const PACKET: usize = 4096;

/// What the engine wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wish {
    /// Serve this container.
    Look(String),
    /// No longer.
    Forget(String),
}

/// What became of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Told {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// The socket's address: a path may be longer than the 107 bytes that fit.
pub(crate) fn address(dir: &Path) -> io::Result<(OwnedFd, SocketAddrUnix)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let dir = rustix::fs::open(dir, flags, Mode::empty())?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&dir);
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{number}/{NAME}"))?;
    Ok((dir, address))
}

/// Whoever was before is dead: the lock is ours.
pub(super) fn listen(dir: &Path) -> io::Result<OwnedFd> {
    close(dir);
    let (_dir, address) = address(dir)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 64)?;
    Ok(socket)
}

pub(super) fn close(dir: &Path) {
    // It is not there.
    let _ = std::fs::remove_file(dir.join(NAME));
}

impl Keeper {
    /// Somebody wants to speak.
    pub(super) fn accept_client(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        match accept_with(&self.control, flags) {
            Ok(client) if is_ours(&client) => {
                let number = self.new_number();
                if self
                    .wait_for(&client, Key::of(Kind::Client, number))
                    .is_ok()
                {
                    self.clients.insert(number, client);
                }
            }
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.rest(Key::of(Kind::Control, 0));
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// He does.
    pub(super) fn talk(&mut self, number: u64) {
        let Some(client) = self.clients.remove(&number) else {
            return;
        };
        let mut packet = [0; PACKET];
        let Ok(mut got) = fdpass::receive(&client, &mut packet, 1) else {
            return;
        };
        let wish = serde_json::from_slice(packet.get(..got.bytes).unwrap_or_default());
        let done = match (wish, got.fds.pop()) {
            (Ok(Wish::Look(id)), Some(namespace)) => self.wanted(&id, namespace),
            (Ok(Wish::Forget(id)), _) => {
                if let Some(number) = self.find(&id) {
                    self.forget(number);
                }
                Ok(())
            }
            _ => Err("the request is not understood".to_owned()),
        };
        let told = Told { error: done.err() };
        let answer = serde_json::to_vec(&told).unwrap_or_default();
        // He may have stopped waiting.
        let _ = rustix::net::send(&client, &answer, SendFlags::NOSIGNAL);
        // Readers of an end that comes with data unread hear of an error instead.
        let _ = rustix::net::recv(&client, &mut packet[..], RecvFlags::DONTWAIT);
    }

    fn wanted(&mut self, id: &str, namespace: OwnedFd) -> std::result::Result<(), String> {
        ContainerId::parse(id).map_err(|error| error.to_string())?;
        self.look(id, namespace).map_err(|error| {
            let words = error.to_string();
            causes(&error).fold(words, |words, cause| format!("{words}: {cause}"))
        })
    }
}

/// The directory keeps others out; so does this.
fn is_ours(client: &OwnedFd) -> bool {
    sockopt::socket_peercred(client).is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}
