//! Logs that are written, rotated and emptied while they are read.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;

/// Plays the monitor.
struct Writer {
    dir: tempfile::TempDir,
    path: PathBuf,
    next: i64,
}

impl Writer {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.json");
        Writer { dir, path, next: 0 }
    }

    fn append(&self, text: &str) {
        let mut options = fs::OpenOptions::new();
        let mut file = options.create(true).append(true).open(&self.path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    /// Record n says n, at second n of 1970.
    fn write(&mut self, count: usize) {
        for _ in 0..count {
            self.append(&line(self.next));
            self.next += 1;
        }
    }

    fn rotate(&self, files: u32) {
        for to in (1..files).rev() {
            let name = |number| match number {
                0 => self.path.clone(),
                number => self.dir.path().join(format!("log.json.{number}")),
            };
            let _ = fs::rename(name(to - 1), name(to));
        }
    }
}

fn line(n: i64) -> String {
    let stream = if n % 2 == 0 { "stdout" } else { "stderr" };
    let time = Timestamp::from_second(n).unwrap();
    format!("{{\"log\":\"{n}\\n\",\"stream\":\"{stream}\",\"time\":\"{time:.9}\"}}\n")
}

fn numbers(path: &Path, options: &Options) -> Vec<i64> {
    let mut numbers = Vec::new();
    read(path, options, None, &mut |record| {
        numbers.push(record.text.trim().parse().unwrap());
        Ok(())
    })
    .unwrap();
    numbers
}

#[test]
fn oldest_first_and_filtered() {
    let mut log = Writer::new();
    assert!(
        numbers(&log.path, &Options::default()).is_empty(),
        "no log yet"
    );
    for _ in 0..3 {
        log.rotate(3);
        log.write(4);
    }
    let of = |options: Options| numbers(&log.path, &options);
    let all = Options::default();
    assert_eq!(of(all.clone()), (0..12).collect::<Vec<_>>());
    assert_eq!(
        of(Options {
            tail: Some(5),
            ..all.clone()
        }),
        (7..12).collect::<Vec<_>>()
    );
    assert!(
        of(Options {
            tail: Some(0),
            ..all.clone()
        })
        .is_empty()
    );
    assert_eq!(
        of(Options {
            stderr: false,
            ..all.clone()
        }),
        [0, 2, 4, 6, 8, 10]
    );
    let second = |n| Some(Timestamp::from_second(n).unwrap());
    assert_eq!(
        of(Options {
            since: second(9),
            ..all.clone()
        }),
        [9, 10, 11]
    );
    assert_eq!(
        of(Options {
            since: second(3),
            until: second(5),
            ..all.clone()
        }),
        [3, 4, 5]
    );
}

#[test]
fn torn_and_foreign_lines_are_skipped() {
    let mut log = Writer::new();
    log.append("{\"log\":\"torn");
    log.append(&line(100));
    log.append("\n\0\0\0\n[]\n");
    log.write(1);
    log.append(line(5).trim_end());
    assert_eq!(numbers(&log.path, &Options::default()), [0]);
}

/// Follows until the writer is done; what was read.
fn followed(mut log: Writer, options: Options, write: impl FnOnce(&mut Writer) + Send) -> Vec<i64> {
    let running = AtomicBool::new(true);
    let (path, dir) = (log.path.clone(), log.dir.path().to_owned());
    let mut numbers = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            write(&mut log);
            running.store(false, Ordering::SeqCst);
            // The directory stays until it was read.
            let log = log;
            while !running.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
            }
            drop(log);
        });
        let mut is_running = || running.load(Ordering::SeqCst);
        let follow = Follow {
            exit_dir: &dir,
            is_running: &mut is_running,
        };
        let read = read(&path, &options, Some(follow), &mut |record| {
            numbers.push(record.text.trim().parse().unwrap());
            Ok(())
        });
        running.store(true, Ordering::SeqCst);
        read.unwrap();
    });
    numbers
}

#[test]
fn following_over_rotations_misses_nothing() {
    let numbers = followed(Writer::new(), Options::default(), |log| {
        for _ in 0..40 {
            log.write(50);
            std::thread::sleep(Duration::from_millis(3));
            log.rotate(5);
        }
        log.write(7);
    });
    assert_eq!(numbers, (0..2007).collect::<Vec<_>>());
}

#[test]
fn following_takes_a_record_once_it_is_whole() {
    let mut log = Writer::new();
    log.write(3);
    let numbers = followed(
        log,
        Options {
            tail: Some(1),
            ..Options::default()
        },
        |log| {
            let text = line(3);
            log.append(&text[..20]);
            std::thread::sleep(Duration::from_millis(100));
            log.append(&text[20..]);
            std::thread::sleep(Duration::from_millis(100));
            log.next = 4;
            log.write(1);
        },
    );
    assert_eq!(numbers, [2, 3, 4]);
}

#[test]
fn following_over_the_emptying_of_a_single_file() {
    let numbers = followed(Writer::new(), Options::default(), |log| {
        log.write(5);
        std::thread::sleep(Duration::from_millis(200));
        fs::File::create(&log.path).unwrap();
        log.write(2);
        std::thread::sleep(Duration::from_millis(200));
    });
    assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn following_ends_at_until() {
    let options = Options {
        until: Some(Timestamp::from_second(2).unwrap()),
        ..Options::default()
    };
    let mut log = Writer::new();
    log.write(5);
    let dir = log.dir.path().to_owned();
    let mut numbers = Vec::new();
    let follow = Follow {
        exit_dir: &dir,
        is_running: &mut || true,
    };
    read(&log.path, &options, Some(follow), &mut |record| {
        numbers.push(record.text.trim().parse::<i64>().unwrap());
        Ok(())
    })
    .unwrap();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn the_sink_may_end_it() {
    let mut log = Writer::new();
    log.write(3);
    let ended = read(&log.path, &Options::default(), None, &mut |_| {
        Err(Error::NoLog)
    });
    assert!(matches!(ended, Err(Error::NoLog)));
}
