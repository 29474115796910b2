//! Who is told each record besides the log file: syslog, journald. It may be slow, dead, or come again; the container
//! never dies of it, nor is its exit lost.
//!
//! Records wait in a queue. When it is full, a receiver that listens holds the container back if it was asked for so
//! (`blocking`); otherwise, and while it is away, what comes is dropped and counted, and the next record that it takes
//! is preceded by one that says how many.

use berth_monitor::args;
use berth_monitor::clock;
use berth_monitor::queue::Queue;
use berth_monitor::record::{self, decimal, joined};
use berth_monitor::template::{self, Told};

use super::buffers;
use super::sys::{self, Errno, Fd, POLLERR, POLLHUP, POLLOUT, POLLRDHUP, PollFd};

/// Pauses between attempts to reach one that is away, in milliseconds: the first, and the longest.
const PAUSE_MS: u64 = 1000;
const LONGEST_MS: u64 = 30_000;
/// Milliseconds after which a connection that does not come about is given up.
const CONNECT_MS: u64 = 5000;
/// Of the container's end: milliseconds without progress, and in all, for what still waits.
const STUCK_MS: u64 = 1000;
const LINGER_MS: u64 = 5000;
/// Room for a `struct sockaddr` of any family that is used.
const ADDRESS: usize = 128;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not reached; to be tried again then, in monotonic milliseconds.
    Away(u64),
    /// On the way, since then.
    Connecting(u64),
    Open,
}

/// A receiver.
pub struct Receiver {
    address: [u8; ADDRESS],
    address_length: usize,
    stream: bool,
    blocking: bool,
    template: &'static [u8],
    pid: u32,
    fd: Fd,
    state: State,
    /// Attempts in a row that came to nothing.
    failures: u32,
    queue: Queue<'static>,
    /// Bytes of the first message that a stream has taken.
    sent: usize,
    /// Records dropped and not yet confessed.
    dropped: u64,
    progress_ms: u64,
    /// The container's end, in monotonic milliseconds.
    ended_ms: Option<u64>,
    /// It was too slow then: the rest is in the log file alone.
    gave_up: bool,
}

impl Receiver {
    /// `None`: its address is none, or there is no memory.
    pub fn new(args: &args::Receiver<'static>) -> Option<Receiver> {
        let mut address = [0; ADDRESS];
        let address_length = args::bytes(args.address.to_bytes(), &mut address)?;
        Some(Receiver {
            address,
            address_length,
            stream: args.stream,
            blocking: args.blocking,
            template: args.template,
            pid: sys::own_pid(),
            fd: Fd::NONE,
            state: State::Away(0),
            failures: 0,
            queue: Queue::new(buffers::map_queue(args.queue_bytes).ok()?),
            sent: 0,
            dropped: 0,
            progress_ms: 0,
            ended_ms: None,
            gave_up: false,
        })
    }

    /// Whether a record with this text may come now; else the container has to wait.
    pub fn takes(&mut self, text: &[u8], stream: record::Stream, time: &[u8; clock::LEN]) -> bool {
        if !self.blocking || self.gave_up {
            return true;
        }
        // What does not even fit an empty queue will not fit later, either.
        if self.queue.is_empty() {
            return true;
        }
        let length = self.length(text, stream, time);
        if self.queue.fits(length) {
            return true;
        }
        self.flush();
        let listens = match self.state {
            State::Open => true,
            // Once, and not at each of many attempts to reach one that is dead.
            State::Connecting(_) => self.failures == 0,
            State::Away(_) => false,
        };
        !listens || self.queue.fits(length)
    }

    fn length(&self, text: &[u8], stream: record::Stream, time: &[u8; clock::LEN]) -> usize {
        // As if it were partial: never too short.
        template::length(self.template, &self.told(text, true, stream, time))
    }

    fn told<'a>(
        &self,
        text: &'a [u8],
        partial: bool,
        stream: record::Stream,
        time: &'a [u8; clock::LEN],
    ) -> Told<'a> {
        Told {
            text,
            partial,
            stream,
            time,
            pid: self.pid,
        }
    }

    /// Adds a record.
    pub fn add(
        &mut self,
        text: &[u8],
        partial: bool,
        stream: record::Stream,
        time: &[u8; clock::LEN],
    ) {
        let told = self.told(text, partial, stream, time);
        if self.gave_up || !template::tells(self.template, &told) {
            return;
        }
        self.confess(time);
        if self.dropped > 0 || !self.push(&told) {
            self.dropped = self.dropped.saturating_add(1);
        }
    }

    /// Says how many records are missing here, if any are and there is room.
    fn confess(&mut self, time: &[u8; clock::LEN]) {
        if self.dropped == 0 {
            return;
        }
        let (mut digits, mut place) = ([0; 20], [0; 64]);
        let count = decimal(self.dropped, &mut digits);
        let parts = [&b"berth dropped "[..], count, b" log records here"];
        let text = joined(&parts, &mut place).unwrap_or_default();
        if self.push(&self.told(text, false, record::Stream::Stderr, time)) {
            self.dropped = 0;
        }
    }

    fn push(&mut self, told: &Told<'_>) -> bool {
        let length = template::length(self.template, told);
        if !self.queue.fits(length) {
            return false;
        }
        self.queue.begin(length);
        template::fill(self.template, told, &mut self.queue);
        true
    }

    /// Sends what waits, as far as it is taken.
    pub fn flush(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        let now = sys::monotonic_ms();
        match self.state {
            State::Away(again) if now >= again => self.connect(now),
            State::Connecting(since) if now >= since + CONNECT_MS => self.fail(),
            _ => {}
        }
        while self.state == State::Open && !self.queue.is_empty() {
            let (one, two) = self.queue.front();
            let skip = self.sent.min(one.len());
            let (one, two) = (&one[skip..], &two[self.sent - skip..]);
            let all = one.len() + two.len();
            match sys::send_parts(self.fd, one, two) {
                Ok(count) => {
                    (self.progress_ms, self.failures) = (now, 0);
                    self.sent += count;
                    if count >= all || !self.stream {
                        self.next();
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return,
                // It will never take this one.
                Err(Errno::MSGSIZE) => {
                    self.dropped = self.dropped.saturating_add(1);
                    self.next();
                }
                Err(_) => self.fail(),
            }
        }
    }

    fn next(&mut self) {
        self.queue.pop();
        self.sent = 0;
        if self.queue.is_empty() && self.dropped > 0 {
            let (seconds, nanoseconds) = sys::now();
            self.confess(&clock::rfc3339(seconds, nanoseconds));
        }
    }

    fn connect(&mut self, now: u64) {
        match sys::connect(&self.address[..self.address_length], self.stream) {
            Ok(fd) => {
                self.fd = fd;
                self.state = State::Connecting(now);
                if !self.stream {
                    self.state = State::Open;
                }
            }
            Err(_) => self.fail(),
        }
    }

    /// It is gone. A message of which a stream took a part is sent again, whole.
    fn fail(&mut self) {
        if self.fd != Fd::NONE {
            sys::close(self.fd);
        }
        let pause = (PAUSE_MS << self.failures.min(5)).min(LONGEST_MS);
        // Who was there a moment ago may be there again at once: a daemon that was restarted.
        let pause = if self.state == State::Open && self.failures == 0 {
            0
        } else {
            pause
        };
        self.failures += 1;
        self.fd = Fd::NONE;
        self.sent = 0;
        self.state = State::Away(sys::monotonic_ms() + pause);
    }

    /// What to wait for.
    pub fn poll(&self) -> PollFd {
        let waits = !self.queue.is_empty();
        let events = match self.state {
            State::Away(_) => 0,
            State::Connecting(_) => POLLOUT,
            State::Open => {
                (if waits { POLLOUT } else { 0 }) | if self.stream { POLLRDHUP } else { 0 }
            }
        };
        PollFd {
            // Not at all when nothing is waited for: errors are always reported.
            fd: if events == 0 { Fd::NONE } else { self.fd },
            events,
            revents: 0,
        }
    }

    /// Milliseconds after which [`Self::flush`] is due although nothing happens.
    pub fn due_ms(&self) -> Option<u32> {
        let at = match self.state {
            _ if self.queue.is_empty() => return None,
            State::Away(again) => again,
            State::Connecting(since) => since + CONNECT_MS,
            State::Open => return None,
        };
        let left = at.saturating_sub(sys::monotonic_ms());
        Some(u32::try_from(left).unwrap_or(u32::MAX).clamp(1, 60_000))
    }

    /// Its descriptor is ready.
    pub fn serve(&mut self, revents: i16) {
        if revents & (POLLERR | POLLHUP | POLLRDHUP) != 0 {
            // Asked, so that an error of a packet sent earlier is taken away.
            let _ = sys::socket_error(self.fd);
            self.fail();
        } else if matches!(self.state, State::Connecting(_)) {
            match sys::socket_error(self.fd) {
                Ok(()) => self.state = State::Open,
                Err(_) => self.fail(),
            }
        }
        self.flush();
    }

    /// The container has ended: whether nothing is left to do for the receiver. Its patience is short.
    pub fn is_done(&mut self) -> bool {
        let now = sys::monotonic_ms();
        let ended = *self.ended_ms.get_or_insert_with(|| {
            // One more attempt, now.
            if let State::Away(again) = &mut self.state {
                *again = 0;
            }
            now
        });
        self.flush();
        // A second time for one that was restarted and is there again.
        self.flush();
        let stuck = now.saturating_sub(self.progress_ms.max(ended)) >= STUCK_MS;
        if stuck || now.saturating_sub(ended) >= LINGER_MS || matches!(self.state, State::Away(_)) {
            self.gave_up = true;
            self.queue.clear();
        }
        self.queue.is_empty()
    }

    /// Gives unused memory back.
    pub fn give_back(&mut self) {
        sys::give_back(self.queue.spare());
    }
}
