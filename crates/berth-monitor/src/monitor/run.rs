//! The monitor's life: one poll loop, from the container's start until its end is recorded and told.
//!
//! While init lives: copy, serve, reap. Once it is dead: drain the streams (to their end, or until
//! nothing comes when a process outside of init's reach holds them), record the exit, tell the
//! clients, and wait for the foreground client's word that it cleans up.

use berth_monitor::args::Args;
use berth_monitor::packet::{self, FromClient};

use super::buffers::{self, Buffers};
use super::clients::{self, Clients};
use super::finish::{self, Exit};
use super::logs::Logs;
use super::signals;
use super::start::CommandLine;
use super::stdin::Stdin;
use super::streams::{Filled, Stream};
use super::sys::{self, Errno, Fd, POLLIN, POLLOUT, PollFd, Received};

/// Idle milliseconds after which memory is given back.
const IDLE_MS: u32 = 1000;
/// After init's death: milliseconds without progress before the exit is recorded though output waits
/// for a slow client.
const RECORD_MS: u64 = 1000;
/// After init's death: milliseconds without progress before clients other than the foreground one are
/// dropped, and before a foreground client that was told and is silent loses its right to clean up.
const PATIENCE_MS: u64 = 10_000;

const SIGNAL: usize = 0;
const LISTEN: usize = 1;
const STDIN: usize = 2;
const STREAMS: usize = 3;
const LOGS: usize = 5;
const CLIENTS: usize = 6;
const POLLED: usize = CLIENTS + clients::MAX;

struct Monitor<'a> {
    args: &'a Args<'static>,
    signals: Fd,
    tty: Option<Fd>,
    streams: [Stream; 2],
    /// Streams from which nothing more will be read.
    drained: [bool; 2],
    stdin: Stdin,
    clients: Clients,
    logs: Logs,
    exit: Option<Exit>,
    recorded: bool,
    /// The foreground client cleans up.
    taken_over: bool,
    /// Asked to end now, by SIGTERM after init's death.
    hurry: bool,
    /// Buffers were used since memory was last given back.
    used: bool,
    /// When the end last came nearer, in monotonic milliseconds.
    progress_ms: u64,
}

/// Runs until the container's end, then becomes the clean-up or exits.
pub fn run(args: &Args<'static>, line: &CommandLine) -> ! {
    let (Ok(signals), Ok(buffers)) = (signals::prepare(), buffers::map()) else {
        crate::complain(b"cannot ", b"prepare signals and memory", b"")
    };
    sys::become_subreaper();
    // All that the shim left open, what holds ports of the host too: the clean-up may start the container again.
    sys::close_on_exec_from(3);
    let mut monitor = Monitor::new(args, signals, buffers);
    monitor.reap();
    if monitor.exit.is_none() && !sys::is_child(args.init) {
        // A signal will never come: better an end that is not known than none.
        monitor.end(Exit::lost());
    }
    while !monitor.is_over() {
        monitor.turn();
    }
    if !monitor.recorded {
        monitor.record();
    }
    let reap = args.reap.filter(|_| !monitor.taken_over);
    finish::become_reaper(line, reap, monitor.signals)
}

impl<'a> Monitor<'a> {
    fn new(args: &'a Args<'static>, signals: Fd, buffers: Buffers) -> Self {
        let tty = args.tty.map(Fd);
        // With the other side open here, a terminal that no process has open is silent, not at its end.
        if let Some(tty) = tty {
            let _ = sys::open_peer(tty);
        }
        Monitor {
            args,
            signals,
            tty,
            streams: Stream::both(args, buffers.stdout, buffers.stderr),
            drained: [false; 2],
            stdin: Stdin::new(args, buffers.stdin),
            clients: Clients::new(args.client),
            logs: Logs::new(args, buffers.log),
            exit: None,
            recorded: false,
            taken_over: false,
            hurry: false,
            used: true,
            progress_ms: 0,
        }
    }

    /// One wait and what came of it.
    fn turn(&mut self) {
        let mut fds = [PollFd::NOTHING; POLLED];
        self.ask(&mut fds);
        match sys::poll(&mut fds, self.timeout()) {
            Ok(0) => self.idle(),
            Ok(_) => self.serve(&fds),
            // Interrupted, or short of kernel memory: again.
            Err(_) => {}
        }
        self.logs.serve(fds[LOGS]);
        for stream in &mut self.streams {
            stream.resume(&mut self.logs);
        }
        if self.exit.is_some() {
            self.approach_end();
        }
    }

    fn timeout(&self) -> Option<u32> {
        let idle = (self.exit.is_some() || self.used).then_some(IDLE_MS);
        [idle, self.logs.due_ms()].into_iter().flatten().min()
    }

    /// Fills in what to wait for.
    fn ask(&self, fds: &mut [PollFd; POLLED]) {
        let entry = |fd, events| PollFd {
            fd,
            events,
            revents: 0,
        };
        fds[SIGNAL] = entry(self.signals, POLLIN);
        if self.clients.has_room() && self.exit.is_none() {
            fds[LISTEN] = entry(Fd(self.args.listen), POLLIN);
        }
        fds[LOGS] = self.logs.poll();
        fds[STDIN] = entry(self.stdin.poll_fd(), POLLOUT);
        for (index, stream) in self.streams.iter().enumerate() {
            if !self.drained[index] {
                fds[STREAMS + index] = entry(stream.poll_fd(), POLLIN);
            }
        }
        for (index, client) in self.clients.slots.iter().enumerate() {
            let owed = self.streams.iter().any(|stream| stream.owes(index));
            let untold =
                self.recorded && client.wants.is_some() && !client.told && self.is_drained();
            let mut events = 0;
            if (owed || untold) && !client.deaf {
                events |= POLLOUT;
            }
            if self.stdin.is_free() || client.wants.is_none() {
                events |= POLLIN;
            }
            // A hang-up is always reported: do not ask at all when nothing can be done about it.
            if events != 0 {
                fds[CLIENTS + index] = entry(client.fd, events);
            }
        }
    }

    /// Does what the events call for. Clients come before streams: who attached sees what is read next.
    fn serve(&mut self, fds: &[PollFd; POLLED]) {
        let ready = |index: usize| fds[index].revents != 0;
        if ready(SIGNAL) {
            let taken = signals::take(self.signals);
            if taken.child {
                self.reap();
            }
            self.hurry |= taken.terminate && self.exit.is_some();
        }
        if ready(LISTEN) {
            self.clients.accept(Fd(self.args.listen));
        }
        if ready(STDIN) {
            self.stdin.flush();
        }
        for index in 0..clients::MAX {
            if ready(CLIENTS + index) {
                self.serve_client(index, fds[CLIENTS + index].events);
            }
        }
        for index in 0..self.streams.len() {
            if ready(STREAMS + index) && !self.streams[index].is_busy() {
                self.used = true;
                if self.streams[index].fill(&mut self.logs, &mut self.clients) == Filled::Ended {
                    self.drained[index] = true;
                }
            }
        }
    }

    fn serve_client(&mut self, index: usize, asked: i16) {
        if asked & POLLOUT != 0 {
            for stream in &mut self.streams {
                stream.deliver(&mut self.clients);
            }
        }
        let client = self.clients.slots[index];
        if asked & POLLIN == 0 {
            return;
        }
        // A client that has not attached yet must not wait for another one's input to be taken.
        let mut small = [0; 8];
        let place = match client.wants {
            Some(_) if !self.stdin.is_free() => return,
            Some(_) => self.stdin.place(),
            None => &mut small,
        };
        match sys::receive(client.fd, place) {
            Ok(Received::Packet(sort, length)) => {
                self.used = true;
                match packet::from_client(sort, &place[..length]) {
                    Some(asked) if client.wants.is_some() => self.obey(index, asked, length),
                    Some(FromClient::Attach(wants)) => self.clients.attach(index, wants),
                    _ => self.drop_client(index),
                }
            }
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(Received::End | Received::TooLong) | Err(_) => self.drop_client(index),
        }
    }

    fn obey(&mut self, index: usize, asked: FromClient, length: usize) {
        let client = &self.clients.slots[index];
        let feeds = client.wants.is_some_and(|wants| wants.stdin);
        match asked {
            FromClient::Stdin if feeds && self.exit.is_none() => self.stdin.accept(length),
            FromClient::StdinEnd if feeds => self.stdin.end(),
            FromClient::Resize { rows, cols } => {
                if let Some(tty) = self.tty {
                    sys::resize(tty, rows, cols);
                }
            }
            FromClient::Done => self.taken_over |= client.foreground && client.told,
            FromClient::Stdin | FromClient::StdinEnd => {}
            FromClient::Attach(_) => self.drop_client(index),
        }
    }

    fn drop_client(&mut self, index: usize) {
        let client = self.clients.remove(index);
        for stream in &mut self.streams {
            stream.forget(index);
        }
        if client.wants.is_some_and(|wants| wants.stdin) {
            self.stdin.end();
        }
    }

    /// Nothing happened for a while.
    fn idle(&mut self) {
        if self.exit.is_none() {
            self.used = false;
            for stream in &mut self.streams {
                stream.give_back();
            }
            self.stdin.give_back();
            self.logs.give_back();
        }
    }

    /// Reaps whoever is dead: init, and orphans that came to us.
    fn reap(&mut self) {
        while let Some((pid, status)) = sys::reap() {
            if pid == self.args.init {
                self.end(Exit::new(status));
            }
        }
    }

    fn end(&mut self, exit: Exit) {
        self.exit = Some(exit);
        self.progress_ms = sys::monotonic_ms();
        self.stdin.close();
    }

    fn is_drained(&self) -> bool {
        self.drained == [true; 2] && !self.streams.iter().any(Stream::is_busy)
    }

    /// Init is dead: reads what is left, and records and tells the exit when all is handed on.
    fn approach_end(&mut self) {
        for index in 0..self.streams.len() {
            while !self.drained[index] && !self.streams[index].is_busy() {
                self.progress_ms = sys::monotonic_ms();
                match self.streams[index].fill(&mut self.logs, &mut self.clients) {
                    Filled::Some => {}
                    Filled::Nothing => {
                        self.streams[index].log(&mut self.logs, true);
                        self.drained[index] = true;
                    }
                    Filled::Ended => self.drained[index] = true,
                }
            }
        }
        let waited_ms = sys::monotonic_ms().saturating_sub(self.progress_ms);
        if !self.recorded && (self.is_drained() || waited_ms >= RECORD_MS) {
            self.record();
        }
        if self.is_drained()
            && let Some(exit) = self.exit
        {
            self.clients.tell_exit(exit.code, exit.oom);
        }
        if waited_ms >= PATIENCE_MS {
            self.lose_patience();
        }
    }

    fn lose_patience(&mut self) {
        for index in 0..clients::MAX {
            let client = self.clients.slots[index];
            // A foreground client may be stopped, or feed a pager: its output is not thrown away.
            if client.fd != Fd::NONE && (!client.foreground || client.told) {
                self.drop_client(index);
            }
        }
    }

    fn record(&mut self) {
        if let Some(exit) = &mut self.exit {
            finish::record(self.args, exit);
        }
        self.recorded = true;
    }

    /// Whether nothing is left to do.
    fn is_over(&mut self) -> bool {
        if self.exit.is_none() {
            return false;
        }
        let waiting = |client: &clients::Client| {
            client.wants.is_some() && !client.deaf && (!client.told || client.foreground)
        };
        let told = self.recorded && self.is_drained() && !self.clients.slots.iter().any(waiting);
        let over = told || self.taken_over || self.hurry;
        // What waits for a receiver of the log is lost with us: also when a client cleans up.
        let asked = over || self.streams.iter().any(Stream::is_stalled);
        if asked && !self.hurry && !self.logs.is_done() {
            return false;
        }
        over
    }
}
