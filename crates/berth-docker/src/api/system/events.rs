//! `GET /events`.

use std::time::Duration;

use berth_engine::events::{EventReader, FILTERS, Filter};
use berth_engine::logs::parse_moment;
use berth_model::Event;
use bytes::Bytes;
use http::header::ACCEPT;
use jiff::Timestamp;

use crate::Version;
use crate::answer::Answer;
use crate::ask::Ask;
use crate::changes::Changes;
use crate::error::Failure;
use crate::filter::Filters;
use crate::serve::sink::Sink;

/// The version from which clients choose a form, and fields from before there were actors are left out.
const FORMS: Version = Version(1, 52);

pub(crate) async fn answer(ask: Ask) -> Result<Answer, Failure> {
    let filters = ask.query.filters()?;
    Filters::checked(filters.clone(), FILTERS).map_err(Failure::bad)?;
    let now = Timestamp::now();
    let moment = |name: &str| -> Result<Option<Timestamp>, Failure> {
        let text = ask.query.get(name).filter(|text| *text != "0");
        text.map(|text| parse_moment(text, now))
            .transpose()
            .map_err(Failure::from)
    };
    let (since, until) = (moment("since")?, moment("until")?);
    // What has happened is asked for by either.
    let since = match (ask.query.has("since") || until.is_some(), since) {
        (true, None) => Some(Timestamp::UNIX_EPOCH),
        (_, since) => since,
    };
    let (content_type, form) = form(&ask);
    // In this order: nothing is missed between the two.
    let changes = ask.docker.changes.follow(&ask.docker.engine)?;
    let reader = ask.docker.engine.events(since);
    let (sink, answer) = Answer::pieces(content_type);
    let follower = Follower {
        filter: Filter(filters),
        until,
        form,
        sink,
    };
    tokio::spawn(follower.run(reader, changes));
    Ok(answer)
}

/// How an event is told.
#[derive(Debug, Clone, Copy)]
struct Form {
    /// With the fields of before 1.52.
    former: bool,
    /// Each begins with a record separator (RFC 7464).
    separated: bool,
}

fn form(ask: &Ask) -> (&'static str, Form) {
    const SEQUENCE: &str = "application/json-seq";
    const CHOICE: [&str; 3] = [SEQUENCE, "application/x-ndjson", "application/jsonl"];
    let form = |former, separated| Form { former, separated };
    if ask.version < FORMS {
        return ("application/json", form(true, false));
    }
    let accepted = ask.headers.get_all(ACCEPT).iter();
    let mut accepted = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(|one| one.split(';').next().unwrap_or("").trim());
    let chosen = accepted.find_map(|one| CHOICE.into_iter().find(|form| *form == one));
    let chosen = chosen.unwrap_or("application/json");
    (chosen, form(false, chosen == SEQUENCE))
}

struct Follower {
    filter: Filter,
    until: Option<Timestamp>,
    form: Form,
    sink: Sink,
}

impl Follower {
    /// Until the time is over, or the client is gone.
    async fn run(self, mut reader: EventReader, mut changes: Changes) {
        loop {
            changes.mark();
            let read = tokio::task::spawn_blocking(move || {
                let events = reader.next_events();
                (reader, events)
            });
            let Ok((back, Ok(events))) = read.await else {
                return;
            };
            reader = back;
            if events.is_empty() {
                let left = self
                    .until
                    .map(|until| until.duration_since(Timestamp::now()));
                let left = left.map(|left| Duration::try_from(left).unwrap_or_default());
                if left.is_some_and(|left| left.is_zero()) {
                    return;
                }
                tokio::select! {
                    () = changes.next() => {}
                    () = tokio::time::sleep(left.unwrap_or(Duration::MAX)) => {}
                    () = self.sink.closed() => return,
                }
                continue;
            }
            for event in events {
                let late = |until: Timestamp| i128::from(event.time_nano) > until.as_nanosecond();
                if self.until.is_some_and(late) {
                    return;
                }
                if self.filter.passes(&event) && self.sink.send(self.line(&event)).await.is_err() {
                    return;
                }
            }
        }
    }

    fn line(&self, event: &Event) -> Bytes {
        let text = match self.form.former {
            true => serde_json::to_vec(&event.told()),
            false => serde_json::to_vec(event),
        };
        let mut line = Vec::new();
        line.extend(self.form.separated.then_some(0x1e));
        line.extend(text.expect("an event has texts for keys"));
        line.push(b'\n');
        line.into()
    }
}
