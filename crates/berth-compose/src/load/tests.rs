//! Whole projects, from files in memory.

mod checks;
mod combine;
mod forms;

use super::*;
use crate::emit;
use crate::files::Memory;

/// Loads files of `/p`; those whose names end in `.yml` are the project's, in their order, others are only there.
fn try_load(files: &[(&str, &str)], adjust: impl FnOnce(&mut Options)) -> Result<Loaded, Error> {
    let path = |name: &str| format!("/p/{name}");
    let memory = files
        .iter()
        .map(|(name, text)| (path(name).into(), (*text).to_owned()));
    let mut options = Options {
        files: files
            .iter()
            .map(|(name, _)| path(name))
            .filter(|path| path.ends_with(".yml"))
            .collect(),
        directory: "/p".into(),
        from: "/p".into(),
        home: Some("/home/u".into()),
        variables: [
            ("SET".into(), "value".into()),
            ("PORT".into(), "81".into()),
            ("YES".into(), "true".into()),
        ]
        .into(),
        ..Options::default()
    };
    adjust(&mut options);
    super::load(&Memory(memory.collect()), &options)
}

fn load(files: &[(&str, &str)]) -> Loaded {
    try_load(files, |_| {}).unwrap_or_else(|error| panic!("{error}\n{files:#?}"))
}

/// The canonical value at `path` of one file, as one line.
fn at(text: &str, path: &str) -> String {
    value(&load(&[("a.yml", text)]), path)
}

fn value(loaded: &Loaded, path: &str) -> String {
    let mut node = &loaded.tree;
    for key in path.split('/').filter(|key| !key.is_empty()) {
        let next = match key.parse::<usize>() {
            Ok(n) => node.items().get(n),
            Err(_) => node.get(key),
        };
        match next {
            Some(next) => node = next,
            None => return "absent".to_owned(),
        }
    }
    emit::json(node)
}

fn errors(files: &[(&str, &str)]) -> String {
    match try_load(files, |_| {}) {
        Ok(loaded) => format!("no error:\n{}", emit::to_yaml(&loaded.tree)),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_name_comes_from_the_nearest_place() {
    let named = "name: My-${SET}\nservices: {}\n";
    let with = |text: &str, adjust: fn(&mut Options)| {
        try_load(&[("a.yml", text)], adjust).map(|loaded| loaded.name)
    };
    assert_eq!(with(named, |_| {}).unwrap(), "my-value");
    assert_eq!(
        with(named, |o| o.name = Some("given".into())).unwrap(),
        "given"
    );
    let variable = |o: &mut Options| {
        o.variables
            .insert("COMPOSE_PROJECT_NAME".into(), "var".into());
    };
    assert_eq!(with(named, variable).unwrap(), "var");
    assert_eq!(with("services: {}\n", |_| {}).unwrap(), "p");
    assert_eq!(
        with("services: {}\n", |o| o.directory = "/x/_My.App 1".into()).unwrap(),
        "myapp1"
    );
    let error = with(named, |o| o.name = Some("No".into())).unwrap_err();
    assert!(matches!(error, Error::Name { .. }) && error.hint().is_some());
    assert!(with("services: {}\n", |o| o.directory = "/".into()).is_err());
    // The name is a variable itself.
    let loaded = load(&[(
        "a.yml",
        "name: n\nservices: {w: {image: 'x:${COMPOSE_PROJECT_NAME}'}}\n",
    )]);
    assert_eq!(value(&loaded, "services/w/image"), "\"x:n\"");
}

#[test]
fn variables_become_what_is_wanted() {
    let text = "services: {w: {image: '$SET', privileged: '${YES}', ports: ['${PORT}:80'], scale: $PORT, cpus: '${CPUS:-0.5}', environment: {A: $PORT}}}\n";
    for (path, want) in [
        ("image", "\"value\""),
        ("privileged", "true"),
        ("ports/0/published", "\"81\""),
        ("scale", "81"),
        ("cpus", "0.5"),
        ("environment/A", "\"81\""),
    ] {
        assert_eq!(at(text, &format!("services/w/{path}")), want, "{path}");
    }
    // `required` is no text, but what came from a variable is what it says.
    let text = "services: {w: {image: x, depends_on: {d: {condition: service_started, required: '${YES}'}}}, d: {image: x}}\n";
    assert_eq!(at(text, "services/w/depends_on/d/required"), "true");
    let loaded = load(&[(
        "a.yml",
        "services: {w: {image: 'x$NO$NO', labels: {a: $OTHER}}}\n",
    )]);
    assert_eq!(
        loaded.warnings,
        [
            "The \"NO\" variable is not set. Defaulting to a blank string.",
            "The \"OTHER\" variable is not set. Defaulting to a blank string."
        ]
    );
    let error = errors(&[(
        "a.yml",
        "services:\n  w:\n    image: ${NO:?say it}\n    user: ${\n",
    )]);
    assert_eq!(
        error,
        "a.yml:3:12: services.w.image: required variable NO is missing a value: say it (set NO in the environment or in .env)\n\
         a.yml:4:11: services.w.user: `${` has no name (a dollar that is meant as such is written `$$`)"
    );
}

#[test]
fn without_interpolation_texts_stay() {
    let text = "services: {w: {image: '$SET', ports: ['${PORT}:80', '1:2'], mem_limit: $M, volumes: ['$D:/d'], command: 'echo $X', privileged: $P, env_file: $F, build: $B}}\n";
    let loaded = try_load(&[("a.yml", text)], |options| {
        (
            options.interpolate,
            options.resolve_environment,
            options.check,
        ) = (false, false, false);
    })
    .unwrap();
    for (path, want) in [
        ("image", "\"$SET\""),
        ("ports/0", "\"${PORT}:80\""),
        ("ports/1/published", "\"1\""),
        ("mem_limit", "\"$M\""),
        ("volumes/0", "\"$D:/d\""),
        ("command", "\"echo $X\""),
        ("privileged", "\"$P\""),
        ("build/context", "\"$B\""),
    ] {
        assert_eq!(
            value(&loaded, &format!("services/w/{path}")),
            want,
            "{path}"
        );
    }
    assert!(loaded.warnings.is_empty());
}

#[test]
fn variables_of_services_come_from_files_and_outside() {
    let text = "services: {w: {image: x, env_file: [one.env, {path: two.env, format: raw}, {path: no.env, required: false}], environment: {A: own, SET: null, GONE: null}, label_file: l.env, labels: {k: own}}}\n";
    let loaded = load(&[
        ("a.yml", text),
        ("one.env", "A=file\nB=file\nC=${SET}-${A}\nSAME"),
        ("two.env", "B='two'\n"),
        ("l.env", "k=file\nl=file\n"),
    ]);
    assert_eq!(
        value(&loaded, "services/w/environment"),
        r#"{"A":"own","B":"'two'","C":"value-own","GONE":null,"SET":"value"}"#
    );
    assert_eq!(
        value(&loaded, "services/w/labels"),
        r#"{"k":"own","l":"file"}"#
    );
    assert_eq!(value(&loaded, "services/w/env_file"), "absent");
    let error = errors(&[("a.yml", "services:\n  w: {image: x, env_file: no.env}\n")]);
    assert_eq!(
        error,
        "a.yml:2:27: services.w.env_file[0]: there is no file `no.env`"
    );
    let error = errors(&[
        ("a.yml", "services: {w: {image: x, env_file: b.env}}\n"),
        ("b.env", "\nA B\n"),
    ]);
    assert!(error.starts_with("b.env:2:1: "), "{error}");
    // A service that is not wanted needs no files.
    let text = "services: {w: {image: x, profiles: [p], env_file: no.env}}\n";
    assert_eq!(load(&[("a.yml", text)]).disabled, ["w"]);
}

#[test]
fn what_was_printed_reads_back_as_the_same() {
    let text = include_str!("tests/much.yaml");
    let files = |text: &str| -> Loaded { load(&[("a.yml", text), ("web.env", "FROM_FILE=1\n")]) };
    let mut first = files(text);
    first.tree.escape_dollars();
    let printed = emit::to_yaml(&first.tree);
    let mut second = files(&printed);
    second.tree.escape_dollars();
    assert_eq!(printed, emit::to_yaml(&second.tree));
    let mut third = files(&emit::to_json(&second.tree));
    third.tree.escape_dollars();
    assert_eq!(printed, emit::to_yaml(&third.tree));
}
