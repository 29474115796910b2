//! One verb for each container, or other thing, that is named, as docker does it: its name is printed when it is done, a failure is told
//! and the others are still tried.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use berth_engine::Engine;
use berth_model::ContainerId;

use super::{note, print};
use crate::ui::diagnostic::{self, Failure};
use crate::verbs::Outcome;

/// So many at once: mostly each waits for the kernel, or for a container that may take seconds to stop.
const AT_ONCE: usize = 16;

/// One after the other, whatever the names are of.
pub fn named(names: &[String], act: impl Fn(&str) -> Result<(), Failure>) -> Outcome {
    let mut code = 0;
    for name in names {
        tell(name, act(name), &mut code)?;
    }
    Ok(code)
}

/// One container after the other.
pub fn in_turn(
    engine: &Engine,
    names: &[String],
    act: impl Fn(&ContainerId) -> Result<(), Failure>,
) -> Outcome {
    named(names, |name| act(&engine.find(name)?))
}

/// Several at once, told in the order of their names.
pub fn at_once(
    engine: &Engine,
    names: &[String],
    act: impl Fn(&ContainerId) -> Result<(), Failure> + Sync,
) -> Outcome {
    if names.len() < 2 {
        return in_turn(engine, names, act);
    }
    let next = AtomicUsize::new(0);
    let (sender, done) = mpsc::channel();
    let work = |sender: mpsc::Sender<_>| {
        while let Some((index, name)) = take(&next, names) {
            let result = engine
                .find(name)
                .map_err(Failure::from)
                .and_then(|id| act(&id));
            // Nobody listens any more: standard output is gone, but what was asked for is done.
            let _ = sender.send((index, result));
        }
    };
    let work = &work;
    thread::scope(|scope| {
        for _ in 0..names.len().min(AT_ONCE) {
            let sender = sender.clone();
            scope.spawn(move || work(sender));
        }
        drop(sender);
        let (mut code, mut told) = (0, 0);
        let mut early = BTreeMap::new();
        for (index, result) in &done {
            early.insert(index, result);
            while let Some(result) = early.remove(&told) {
                tell(&names[told], result, &mut code)?;
                told += 1;
            }
        }
        Ok(code)
    })
}

fn take<'a>(next: &AtomicUsize, names: &'a [String]) -> Option<(usize, &'a String)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    names.get(index).map(|name| (index, name))
}

fn tell(name: &str, result: Result<(), Failure>, code: &mut u8) -> Result<(), Failure> {
    match result {
        Ok(()) => print(&format!("{name}\n")),
        Err(failure) => {
            note(&failure.to_string());
            *code = failure.code.unwrap_or(diagnostic::FAILED);
            Ok(())
        }
    }
}
