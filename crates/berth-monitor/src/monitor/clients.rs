//! The attached clients: a fixed table, the foreground one (if any) among them.

use berth_monitor::packet::{self, Wants};
use berth_monitor::record;

use super::sys::{self, Errno, Fd};

/// Most clients at once; further ones are turned away.
pub const MAX: usize = 16;

/// A slot of the table.
#[derive(Clone, Copy)]
pub struct Client {
    /// `Fd::NONE`: the slot is free.
    pub fd: Fd,
    /// Set once it has attached.
    pub wants: Option<Wants>,
    /// The client that waited for the start; it may take over the cleaning-up.
    pub foreground: bool,
    /// It was told of the exit.
    pub told: bool,
    /// Sending failed: it hears nothing any more, but what it sent is still read.
    pub deaf: bool,
}

impl Client {
    const FREE: Client = Client {
        fd: Fd::NONE,
        wants: None,
        foreground: false,
        told: false,
        deaf: false,
    };
}

/// The table.
pub struct Clients {
    pub slots: [Client; MAX],
    uid: u32,
}

impl Clients {
    pub fn new(foreground: Option<i32>) -> Self {
        let mut slots = [Client::FREE; MAX];
        if let Some(fd) = foreground {
            slots[0] = Client {
                fd: Fd(fd),
                foreground: true,
                ..Client::FREE
            };
        }
        Clients {
            slots,
            uid: sys::own_uid(),
        }
    }

    /// Whether one more fits.
    pub fn has_room(&self) -> bool {
        self.slots.iter().any(|client| client.fd == Fd::NONE)
    }

    /// Takes a waiting connection; only our own user and root may attach (security: D1).
    pub fn accept(&mut self, listen: Fd) {
        let Ok(fd) = sys::accept(listen) else { return };
        let trusted = sys::peer_uid(fd).is_ok_and(|uid| uid == self.uid || uid == 0);
        match self.slots.iter_mut().find(|client| client.fd == Fd::NONE) {
            Some(slot) if trusted => *slot = Client { fd, ..Client::FREE },
            _ => sys::close(fd),
        }
    }

    /// The clients, by bit, that take `stream`.
    pub fn takers(&self, stream: record::Stream) -> u32 {
        let takes = |client: &Client| {
            !client.deaf
                && client.wants.is_some_and(|wants| match stream {
                    record::Stream::Stdout => wants.stdout,
                    record::Stream::Stderr => wants.stderr,
                })
        };
        let bits = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, client)| takes(client));
        bits.fold(0, |mask, (index, _)| mask | 1 << index)
    }

    /// Sends a packet; `false`: not now, try again. A client that cannot hear counts as served.
    pub fn send(&mut self, index: usize, sort: u8, body: &[u8]) -> bool {
        let client = &mut self.slots[index];
        if client.fd == Fd::NONE || client.deaf {
            return true;
        }
        match sys::send(client.fd, sort, body) {
            Ok(()) => true,
            Err(Errno::AGAIN | Errno::INTR) => false,
            Err(_) => {
                client.deaf = true;
                true
            }
        }
    }

    /// The client speaks for the first time and wants to be attached.
    pub fn attach(&mut self, index: usize, wants: Wants) {
        self.slots[index].wants = Some(wants);
        if !self.send(index, packet::ATTACH, &[packet::VERSION]) {
            self.slots[index].deaf = true;
        }
    }

    /// Frees a slot; what was there.
    pub fn remove(&mut self, index: usize) -> Client {
        let client = core::mem::replace(&mut self.slots[index], Client::FREE);
        sys::close(client.fd);
        client
    }

    /// Tells the exit to all who can hear it and were not yet told. `true`: none is left to tell.
    pub fn tell_exit(&mut self, code: i32, oom: bool) -> bool {
        let told = packet::exit(code, oom);
        let mut all = true;
        for index in 0..MAX {
            let client = self.slots[index];
            if client.wants.is_some() && !client.told {
                let sent = self.send(index, told[0], &told[1..]);
                self.slots[index].told = sent;
                all &= sent;
            }
        }
        all
    }
}
