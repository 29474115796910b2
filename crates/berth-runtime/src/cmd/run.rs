//! `run`: create and start; in the foreground it waits, passes signals on and removes the container.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};

use super::args::{Args, unknown};
use super::create::{Options, abandon, finish, give_up};
use super::notify::Notify;
use super::terminal::Relay;
use super::{Global, delete, log, notify};
use crate::error::{Result, step};
use crate::launch;

/// Signals that are the container's while it is in the foreground. SIGCHLD and the job control of
/// this process stay its own.
pub(super) const FORWARDED: [i32; 9] = [1, 2, 3, 10, 12, 13, 14, 15, 18];
/// SIGWINCH.
const WINCH: i32 = 28;

pub(super) fn main(global: &Global, mut args: Args) -> Result<i32> {
    let (mut options, mut detach, mut keep) = (Options::default(), false, false);
    while let Some(option) = args.next_option()? {
        match option.as_str() {
            "-d" | "--detach" => detach = args.flag()?,
            "--keep" => keep = args.flag()?,
            // Orphans of the container are its init's to reap, never this process's.
            "--no-subreaper" => drop(args.flag()?),
            other if options.take(other, &mut args)? => {}
            other => return Err(unknown(other)),
        }
    }
    let id = args.only_operand("the container's id")?;
    let (bundle, mut spec) = options.load()?;
    let wants_terminal = options.wants_terminal(&spec, detach)?;
    // Before the container is there: no signal is lost.
    let signals = (!detach).then(|| listen(&FORWARDED)).transpose()?;
    let dir = global.root.make(&id)?;
    let started = (|| {
        notify::offer(&dir, &mut spec, &mut options.env)?;
        let how = options.launch(global, &dir, &bundle, wants_terminal, None);
        let notify = notify::listen(&dir)?;
        let mut created = launch::create(&spec, how)?;
        let begun = finish(&created, &options, || dir.record(&created, &spec, &bundle))
            .and_then(|()| created.start(&spec));
        match begun {
            Ok(()) => Ok((created, notify)),
            Err(error) => Err(abandon(created, &spec, error)),
        }
    })();
    let (mut created, notify) = match started {
        Ok(started) => started,
        Err(error) => {
            give_up(dir);
            return Err(error);
        }
    };
    match signals {
        None => {
            if let Some(notify) = notify {
                notify.pass_on(&created.pidfd, created.pid);
            }
            Ok(0)
        }
        Some(signals) => {
            let terminal = created.terminal.take();
            let code = follow_until_ready(&created.pidfd, &signals, terminal, notify);
            // A wait that failed is told after the container is gone.
            let waited = created.wait();
            log::debug(format_args!("init ended: {waited:?}"));
            if !keep {
                delete::clean_up(dir, &spec, &bundle, created.cgroup(), created.unit())?;
            }
            code?;
            waited
        }
    }
}

/// Takes over the signals that are passed on, and the one that tells of a new size of the terminal.
pub(super) fn listen(forwarded: &[i32]) -> Result<OwnedFd> {
    let all = [forwarded, &[WINCH]].concat();
    berth_sys::signals::listen(&all).map_err(|e| step("listen for signals", e))
}

/// Relays signals and the terminal until the process ends. Its status is left for the wait.
pub(super) fn follow(pidfd: &OwnedFd, signals: &OwnedFd, terminal: Option<OwnedFd>) -> Result<()> {
    follow_until_ready(pidfd, signals, terminal, None)
}

/// As [`follow`]; meanwhile the service manager is told when the container is ready.
fn follow_until_ready(
    pidfd: &OwnedFd,
    signals: &OwnedFd,
    terminal: Option<OwnedFd>,
    mut notify: Option<Notify>,
) -> Result<()> {
    let fail = |e: rustix::io::Errno| step("wait for the container", e);
    let mut relay = terminal.map(Relay::new).transpose()?;
    loop {
        let mut wanted = vec![
            PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN),
        ];
        if let Some(relay) = &relay {
            relay.watch(&mut wanted);
        }
        // Behind what the relay looks at.
        wanted.extend(notify.iter().map(|n| PollFd::new(n, PollFlags::IN)));
        let patience = relay.as_ref().and_then(Relay::patience);
        rustix::io::retry_on_intr(|| poll(&mut wanted, patience)).map_err(fail)?;
        let ready: Vec<bool> = wanted.iter().map(|w| !w.revents().is_empty()).collect();
        drop(wanted);
        if ready[1] {
            while let Some(signal) = berth_sys::signals::read(signals).map_err(fail)? {
                match (&relay, signal) {
                    (Some(relay), WINCH) => relay.resize(),
                    _ => drop(berth_sys::signals::send(pidfd, signal)),
                }
            }
        }
        if let Some(relay) = &mut relay {
            relay.pump(&ready[2..]);
        }
        let told = ready.last() == Some(&true);
        match notify.as_ref().filter(|_| told).map(Notify::heard) {
            None | Some(Ok(false)) => {}
            Some(heard) => {
                if let (Ok(_), Some(notify)) = (heard, notify.take()) {
                    // It is this process that lives and ends with the container.
                    notify.tell(std::process::id() as i32);
                }
            }
        }
        if ready[0] {
            if let Some(relay) = &mut relay {
                relay.drain();
            }
            return Ok(());
        }
    }
}
