//! `berth events`.

use std::collections::BTreeMap;

use berth_engine::events::{FILTERS, Filter};
use berth_engine::logs::parse_moment;
use berth_model::Event;
use jiff::Timestamp;

use crate::context;
use crate::globals::Globals;
use crate::opts;
use crate::ui::diagnostic::Failure;
use crate::ui::template::Template;
use crate::verbs::{Outcome, Verb};
use crate::view::event;

/// Show what happens, and what has happened
#[derive(Debug, clap::Args)]
pub struct Events {
    /// Narrow it (type=container, event=die, container=NAME, image=NAME, label=KEY=VALUE, …)
    #[arg(short, long, value_name = "KEY=VALUE", action = clap::ArgAction::Append)]
    filter: Vec<String>,
    /// Print with a Go template, or `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// From when on (a time, or a duration such as 10m)
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Until when; a time that has passed ends it
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl Verb for Events {
    fn run(self, globals: &Globals) -> Outcome {
        let filters = opts::filters(&self.filter, FILTERS)?;
        let keys = FILTERS.iter().filter(|key| filters.has(key));
        let filter = Filter(
            keys.map(|key| ((*key).to_owned(), filters.values(key).to_vec()))
                .collect::<BTreeMap<_, _>>(),
        );
        let form = match self.format.as_deref().map(str::trim) {
            None | Some("") => Form::Plain,
            Some("json" | "{{json .}}" | "{{ json . }}") => Form::Json,
            Some(text) => Form::Template(Template::parse(text)?),
        };
        let now = Timestamp::now();
        let moment = |text: &Option<String>| {
            let text = text.as_deref();
            text.map(|text| parse_moment(text, now)).transpose()
        };
        let (since, until) = (moment(&self.since)?, moment(&self.until)?);
        let engine = context::engine(globals)?;
        let watch = engine.watch_events()?;
        let mut reader = engine.events(since);
        loop {
            let events = reader.next_events()?;
            if events.is_empty() {
                let left = until.map(|until| until.duration_since(Timestamp::now()));
                if left.is_some_and(|left| left.is_negative() || left.is_zero()) {
                    return Ok(0);
                }
                watch.wait(left.map(jiff::SignedDuration::unsigned_abs))?;
                continue;
            }
            for event in events {
                if until.is_some_and(|until| i128::from(event.time_nano) > until.as_nanosecond()) {
                    return Ok(0);
                }
                if filter.passes(&event) {
                    super::print(&line(&event, &form)?)?;
                }
            }
        }
    }
}

enum Form {
    Plain,
    Json,
    Template(Template),
}

fn line(event: &Event, form: &Form) -> Result<String, Failure> {
    let mut line = match form {
        Form::Plain => event::line(event),
        Form::Json => event::json(event),
        Form::Template(template) => template.render(&event::fields(event))?,
    };
    line.push('\n');
    Ok(line)
}
