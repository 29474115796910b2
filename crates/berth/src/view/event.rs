//! An event as `events` prints it.

use berth_model::Event;
use jiff::Timestamp;
use jiff::fmt::strtime;

use crate::ui::clean;
use crate::ui::template::Value;

/// `2026-01-01T00:00:00.000000000Z container die ID (exitCode=0, name=web)`.
pub fn line(event: &Event) -> String {
    let time = Timestamp::from_nanosecond(event.time_nano.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = strtime::format("%Y-%m-%dT%H:%M:%S.%9fZ", time).unwrap_or_default();
    let actor = &event.actor;
    let mut line = format!(
        "{time} {} {} {}",
        event.subject.word(),
        event.action,
        actor.id
    );
    if !actor.attributes.is_empty() {
        let told = actor.attributes.iter();
        let told: Vec<String> = told
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        line.push_str(&format!(" ({})", told.join(", ")));
    }
    clean::terminal(&line)
}

/// As the API tells it.
pub fn json(event: &Event) -> String {
    serde_json::to_string(&event.told()).unwrap_or_default()
}

/// The fields that `--format` can ask for.
pub fn fields(event: &Event) -> Value {
    let attributes = event.actor.attributes.iter();
    let attributes = attributes.map(|(name, value)| (name.clone(), clean::terminal(value).into()));
    let text = |text: &str| Value::Str(clean::terminal(text));
    Value::fields([
        ("Status", text(&event.action)),
        ("ID", text(&event.actor.id)),
        ("From", text(event.attribute("image").unwrap_or_default())),
        ("Type", event.subject.word().into()),
        ("Action", text(&event.action)),
        (
            "Actor",
            Value::fields([
                ("ID", text(&event.actor.id)),
                ("Attributes", Value::Map(attributes.collect())),
            ]),
        ),
        ("Scope", text(&event.scope)),
        ("Time", Value::Int(event.time.into())),
        ("TimeNano", Value::Int(event.time_nano.into())),
    ])
}

#[cfg(test)]
mod tests {
    use berth_model::event::Subject;

    use super::*;

    #[test]
    fn lines_are_dockers() {
        let mut event = Event::new(Subject::Container, "exec_start: /bin/sh ", "ab")
            .with("name", "web")
            .with("a", "b\x1b");
        event.time_nano = 1_000_000_005;
        assert_eq!(
            line(&event),
            "1970-01-01T00:00:01.000000005Z container exec_start: /bin/sh  ab (a=b?, name=web)"
        );
        event.actor.attributes.clear();
        assert_eq!(
            line(&event),
            "1970-01-01T00:00:01.000000005Z container exec_start: /bin/sh  ab"
        );
    }
}
