//! The log of events by itself: order, rotation, torn lines, readers behind.

use std::io::Write as _;
use std::path::Path;

use berth_model::Event;
use berth_model::event::Subject;
use jiff::Timestamp;

use super::append::append;
use super::{EventReader, EventWatch};

fn write(dir: &Path, action: &str) {
    append(dir, Event::new(Subject::Container, action, "ab")).unwrap();
}

fn read(reader: &mut EventReader) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let some = reader.next_events().unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some.into_iter().map(|event| event.action));
    }
}

fn from_begin(dir: &Path) -> EventReader {
    EventReader::since(dir, Timestamp::UNIX_EPOCH)
}

#[test]
fn what_comes_later_and_what_came_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut before_all = EventReader::from_now(dir.path());
    assert_eq!(read(&mut before_all), [""; 0]);
    write(dir.path(), "create");
    let since = Timestamp::now();
    let mut later = EventReader::from_now(dir.path());
    write(dir.path(), "start");
    assert_eq!(read(&mut before_all), ["create", "start"]);
    assert_eq!(read(&mut later), ["start"]);
    assert_eq!(read(&mut from_begin(dir.path())), ["create", "start"]);
    assert_eq!(read(&mut EventReader::since(dir.path(), since)), ["start"]);
    write(dir.path(), "die");
    assert_eq!(read(&mut before_all), ["die"]);
    assert_eq!(read(&mut later), ["die"]);
}

/// A writer that was killed leaves part of a line.
#[test]
fn a_torn_line_is_not_read_and_is_cut_off() {
    for torn in ["{\"Type\":", &"x".repeat(10_000)] {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "create");
        let path = dir.path().join("log");
        let mut log = std::fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap();
        log.write_all(torn.as_bytes()).unwrap();
        let (mut reader, mut from_now) =
            (from_begin(dir.path()), EventReader::from_now(dir.path()));
        assert_eq!(read(&mut reader), ["create"]);
        write(dir.path(), "start");
        assert_eq!(read(&mut reader), ["start"]);
        assert_eq!(read(&mut from_now), ["start"]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
    }
}

#[test]
fn what_is_no_event_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "create");
    let path = dir.path().join("log");
    let mut log = std::fs::OpenOptions::new().append(true).open(path).unwrap();
    log.write_all(b"\0\0\0\n{\"Type\":\"moon\",\"Action\":\"rise\"}\n")
        .unwrap();
    write(dir.path(), "start");
    assert_eq!(read(&mut from_begin(dir.path())), ["create", "start"]);
}

/// N23: the log does not grow without end. A reader that is one file behind misses nothing.
#[test]
fn rotation_keeps_one_file_and_readers_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let big = "x".repeat(100_000);
    let mut slow = from_begin(dir.path());
    write(dir.path(), "first");
    assert_eq!(read(&mut slow), ["first"]);
    for number in 0..12 {
        let event = Event::new(Subject::Container, number.to_string(), "ab").with("big", &big);
        append(dir.path(), event).unwrap();
    }
    let numbers: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    assert_eq!(read(&mut slow), numbers);
    for number in 0..40 {
        let event = Event::new(Subject::Container, number.to_string(), "ab").with("big", &big);
        append(dir.path(), event).unwrap();
    }
    let files = std::fs::read_dir(dir.path()).unwrap();
    let sizes: Vec<u64> = files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .collect();
    assert_eq!(sizes.len(), 2);
    assert!(sizes.iter().all(|size| *size <= 1 << 20), "{sizes:?}");
    // Two files behind: it loses what is gone, and goes on with what is there.
    assert_eq!(read(&mut slow).last().map(String::as_str), Some("39"));
}

#[test]
fn many_writers_make_whole_lines_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..8 {
            let dir = dir.path();
            scope.spawn(move || {
                for number in 0..200 {
                    write(dir, &format!("{writer}-{number}"));
                }
            });
        }
    });
    let mut reader = from_begin(dir.path());
    let (mut count, mut last) = (0, 0);
    loop {
        let some = reader.next_events().unwrap();
        if some.is_empty() {
            break;
        }
        for event in some {
            count += 1;
            assert!(event.time_nano >= last);
            last = event.time_nano;
        }
    }
    assert_eq!(count, 1600);
}

#[test]
fn a_watch_wakes() {
    let dir = tempfile::tempdir().unwrap();
    let watch = EventWatch::new(dir.path()).unwrap();
    let began = std::time::Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            write(dir.path(), "create");
        });
        watch.wait(None).unwrap();
    });
    assert!(began.elapsed() >= std::time::Duration::from_millis(50));
}
