//! Where the container's output goes for good: the log file, and who is told besides.

use berth_monitor::args::Args;
use berth_monitor::clock;
use berth_monitor::lines::MAX_PIECE;
use berth_monitor::record;

use super::log::Log;
use super::receiver::Receiver;
use super::sys::{Fd, PollFd};

/// The log file and the receiver, or one of them, or none.
pub struct Logs {
    file: Option<Log>,
    receiver: Option<Receiver>,
}

impl Logs {
    pub fn new(args: &Args<'static>, buffer: &'static mut [u8]) -> Self {
        Logs {
            file: args.log.as_ref().map(|log| Log::new(log, buffer)),
            receiver: args.receiver.as_ref().and_then(Receiver::new),
        }
    }

    /// Whether nobody takes any.
    pub fn is_none(&self) -> bool {
        self.file.is_none() && self.receiver.is_none()
    }

    /// Most bytes of text that one record may have.
    pub fn max_piece(&self) -> usize {
        self.file.as_ref().map_or(MAX_PIECE, Log::max_piece)
    }

    /// Whether a record with this text may come now; else the container has to wait.
    pub fn takes(&mut self, text: &[u8], stream: record::Stream, time: &[u8; clock::LEN]) -> bool {
        self.receiver
            .as_mut()
            .is_none_or(|receiver| receiver.takes(text, stream, time))
    }

    /// Adds a record; without `whole` no line feed follows it, and if it is not the `last` the line goes on.
    pub fn add(
        &mut self,
        text: &[u8],
        (whole, last): (bool, bool),
        stream: record::Stream,
        time: &[u8; clock::LEN],
    ) {
        if let Some(file) = &mut self.file {
            file.add(text, whole, stream, time);
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.add(text, !whole && !last, stream, time);
        }
    }

    /// What was added is written, and sent as far as it is taken now.
    pub fn commit(&mut self) {
        if let Some(file) = &mut self.file {
            file.commit();
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.flush();
        }
    }

    /// What to wait for.
    pub fn poll(&self) -> PollFd {
        self.receiver
            .as_ref()
            .map_or(PollFd::NOTHING, Receiver::poll)
    }

    /// Milliseconds after which [`Self::serve`] is due although nothing happens.
    pub fn due_ms(&self) -> Option<u32> {
        self.receiver.as_ref().and_then(Receiver::due_ms)
    }

    /// After each wait.
    pub fn serve(&mut self, polled: PollFd) {
        match &mut self.receiver {
            Some(receiver) if polled.fd != Fd::NONE && polled.revents != 0 => {
                receiver.serve(polled.revents);
            }
            Some(receiver) => receiver.flush(),
            None => {}
        }
    }

    /// The container has ended: whether nothing waits any more.
    pub fn is_done(&mut self) -> bool {
        self.receiver.as_mut().is_none_or(Receiver::is_done)
    }

    /// Gives unused memory back.
    pub fn give_back(&mut self) {
        if let Some(file) = &mut self.file {
            file.give_back();
        }
        if let Some(receiver) = &mut self.receiver {
            receiver.give_back();
        }
    }
}
