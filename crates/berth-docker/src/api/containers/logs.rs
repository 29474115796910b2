//! `GET /containers/{id}/logs`.

use std::io::Write;

use berth_engine::Engine;
use berth_engine::logs::{self, Follow, LogStream, Options, Record};
use berth_model::ContainerId;
use jiff::Timestamp;

use super::attach::content_type;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::error::Failure;
use crate::serve::sink::Sink;
use crate::serve::stream::{Output, frame};

pub(crate) async fn answer(ask: Ask, name: &str) -> Result<Answer, Failure> {
    let options = options(&ask)?;
    if !options.stdout && !options.stderr {
        return Err(Failure::bad(
            "Bad parameters: you must choose at least one stream",
        ));
    }
    let (follow, timestamps) = (ask.query.is_on("follow"), ask.query.is_on("timestamps"));
    let name = name.to_owned();
    let found = ask.work(move |engine| {
        let id = engine.find(&name)?;
        let config = engine.config(&id)?;
        if !config.log.is_kept() {
            return Err(Failure::new(
                http::StatusCode::NOT_IMPLEMENTED,
                "configured logging driver does not support reading",
            ));
        }
        Ok((id, config.process.tty))
    });
    let (id, tty) = found.await?;
    let engine = ask.docker.engine.clone();
    Ok(Answer::stream(
        content_type(tty, ask.version),
        move |sink| {
            let mut writer = Writer::new(sink.clone(), !tty, timestamps);
            if let Err(error) = send(&engine, &id, &options, follow, &mut writer)
                && !sink.is_closed()
            {
                sink.fail(std::io::Error::other(error));
            }
        },
    ))
}

fn send(
    engine: &Engine,
    id: &ContainerId,
    options: &Options,
    follow: bool,
    writer: &mut Writer,
) -> Result<(), logs::Error> {
    let exit_dir = engine.layout().container(id);
    let sink = writer.sink.clone();
    let mut goes_on =
        || !sink.is_closed() && engine.status(id).is_ok_and(|status| status.is_alive());
    let follow = follow.then_some(Follow {
        exit_dir: &exit_dir,
        is_running: &mut goes_on,
    });
    logs::read(&engine.layout().log(id), options, follow, &mut |record| {
        writer.write(record)
    })
}

fn options(ask: &Ask) -> Result<Options, Failure> {
    let moment = |name| match ask.query.get(name) {
        // Nothing was logged before the first second.
        None | Some("0") => Ok(None),
        Some(text) => logs::parse_moment(text, Timestamp::now())
            .map(Some)
            .map_err(Failure::from),
    };
    let tail = match ask.query.get("tail") {
        None | Some("all") => None,
        // Docker takes what is no number for all.
        Some(text) => text.parse().ok(),
    };
    Ok(Options {
        since: moment("since")?,
        until: moment("until")?,
        tail,
        stdout: ask.query.is_on("stdout"),
        stderr: ask.query.is_on("stderr"),
    })
}

/// Writes records as clients get them.
pub(crate) struct Writer {
    sink: Sink,
    framed: bool,
    timestamps: bool,
    /// Whether a line of standard output, of standard error, is unfinished.
    unfinished: [bool; 2],
}

impl Writer {
    pub(crate) fn new(sink: Sink, framed: bool, timestamps: bool) -> Writer {
        Writer {
            sink,
            framed,
            timestamps,
            unfinished: [false; 2],
        }
    }

    pub(crate) fn write(&mut self, record: &Record) -> Result<(), logs::Error> {
        if record.text.is_empty() {
            return Ok(());
        }
        let (index, output) = match record.stream {
            LogStream::Stdout => (0, Output::Stdout),
            LogStream::Stderr => (1, Output::Stderr),
        };
        let mut line = String::with_capacity(record.text.len() + 32);
        if self.timestamps && !self.unfinished[index] {
            line.push_str(&format!("{:.9} ", record.time));
        }
        self.unfinished[index] = !record.text.ends_with('\n');
        line.push_str(&record.text);
        let written = match self.framed {
            true => self.sink.write_all(&frame(output, line.as_bytes())),
            false => self.sink.write_all(line.as_bytes()),
        };
        written.map_err(logs::Error::Write)
    }
}
