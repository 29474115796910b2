//! The verbs: one table, from which the parser, the help and the completions come.

mod table;

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind as ClapKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::cmd;
use crate::globals::Globals;
use crate::remote::{self, request::Called};
use crate::ui::diagnostic::{self, Failure};

/// The exit code, or what failed.
pub type Outcome = Result<u8, Failure>;

/// What a verb's options are and what it does.
pub trait Verb: Args {
    /// Exit code when the engine fails: 125 for what starts processes, else 1.
    const FAILED: u8 = diagnostic::FAILED;

    /// The usage line, where clap's own would mislead.
    const USAGE: Option<&'static str> = None;

    /// Does it.
    ///
    /// # Errors
    /// What the user is told.
    fn run(self, globals: &Globals) -> Outcome;
}

/// A line of the table.
struct Entry {
    name: &'static str,
    aliases: &'static [&'static str],
    about: &'static str,
    hidden: bool,
    build: fn(Command) -> Command,
    action: Action,
}

enum Action {
    Run(fn(&ArgMatches, &Globals) -> Outcome, u8),
    Group(fn() -> Vec<Entry>),
}

fn verb<V: Verb>(name: &'static str, about: &'static str) -> Entry {
    let run: fn(&ArgMatches, &Globals) -> Outcome =
        |matches, globals| match V::from_arg_matches(matches) {
            Ok(options) => options.run(globals),
            Err(error) => Err(usage(&error)),
        };
    Entry {
        name,
        aliases: &[],
        about,
        hidden: false,
        build: options::<V>,
        action: Action::Run(run, V::FAILED),
    }
}

fn group(
    name: &'static str,
    about: &'static str,
    build: fn(Command) -> Command,
    entries: fn() -> Vec<Entry>,
) -> Entry {
    Entry {
        name,
        aliases: &[],
        about,
        hidden: false,
        build,
        action: Action::Group(entries),
    }
}

impl Entry {
    fn alias(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    fn command(&self) -> Command {
        // Deferred: only the verb that is called builds its options.
        Command::new(self.name)
            .about(self.about)
            .visible_aliases(self.aliases)
            .hide(self.hidden)
            .defer(self.build)
    }
}

/// A verb's options, with docker's habits: `-h` is not help (`run -h NAME`), the last of repeated
/// options wins, and a switch may be written `--rm=true`.
fn options<V: Verb>(command: Command) -> Command {
    let about = command.get_about().cloned();
    let mut command = V::augment_args(command);
    if let Some(about) = about {
        command = command.about(about).long_about(None);
    }
    if let Some(usage) = V::USAGE {
        command = command.override_usage(usage);
    }
    command
        .disable_help_flag(true)
        .args_override_self(true)
        .arg(
            Arg::new("help")
                .long("help")
                .action(ArgAction::Help)
                .help("Print help"),
        )
        .mut_args(|arg| match arg.get_action() {
            ArgAction::SetTrue => arg
                .action(ArgAction::Set)
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .default_value("false")
                .value_name("BOOL")
                .hide_possible_values(true)
                .hide_default_value(true),
            _ => arg,
        })
}

fn with(command: Command, entries: Vec<Entry>) -> Command {
    command
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommands(entries.iter().map(Entry::command))
}

/// The parser of everything.
pub fn command() -> Command {
    let command = Command::new("berth")
        .about("A container engine")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_version_flag(true)
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::Version)
                .help("Print the version"),
        );
    with(
        Globals::augment_args(command)
            .about("A container engine")
            .long_about(None),
        table::all(),
    )
}

/// Parses and runs. The second value is the exit code for a failure that names none.
pub fn dispatch(args: Vec<OsString>) -> (Outcome, u8) {
    let mut command = command();
    let matches = match command.try_get_matches_from_mut(args) {
        Ok(matches) => matches,
        Err(error)
            if matches!(
                error.kind(),
                ClapKind::DisplayHelp | ClapKind::DisplayVersion
            ) =>
        {
            return (
                cmd::print(&error.render().to_string()).map(|()| 0),
                diagnostic::FAILED,
            );
        }
        Err(error)
            if matches!(
                error.kind(),
                ClapKind::DisplayHelpOnMissingArgumentOrSubcommand | ClapKind::MissingSubcommand
            ) =>
        {
            return (missing_verb(&error), diagnostic::FAILED);
        }
        Err(error) => return (Err(usage(&error)), diagnostic::ENGINE),
    };
    let globals = match Globals::from_arg_matches(&matches) {
        Ok(mut globals) => {
            globals.settle();
            globals
        }
        Err(error) => return (Err(usage(&error)), diagnostic::ENGINE),
    };
    let began = std::time::Instant::now();
    let outcome = match remote::dispatch(&globals, &Called::find(&command, &matches)) {
        Ok(Some(code)) => (Ok(code), diagnostic::FAILED),
        Ok(None) => descend(&matches, &globals, table::all()),
        Err(failure) => (Err(failure), failed(&matches, table::all())),
    };
    if globals.debug {
        cmd::note(&format!("debug: done in {:?}\n", began.elapsed()));
    }
    outcome
}

/// Help that was not asked for goes where errors go.
fn missing_verb(error: &clap::Error) -> Outcome {
    if error.kind() == ClapKind::MissingSubcommand {
        // clap gives help by itself only when nothing at all was given, and the environment counts.
        cmd::note(&command().render_help().to_string());
    } else {
        cmd::note(&error.render().to_string());
    }
    Err(Failure::exit(diagnostic::FAILED))
}

/// The verb's exit code for a failure that names none.
fn failed(matches: &ArgMatches, entries: Vec<Entry>) -> u8 {
    let Some((name, inner)) = matches.subcommand() else {
        return diagnostic::FAILED;
    };
    let found = entries.into_iter().find(|entry| entry.name == name);
    match found.map(|entry| entry.action) {
        Some(Action::Run(_, code)) => code,
        Some(Action::Group(entries)) => failed(inner, entries()),
        None => diagnostic::FAILED,
    }
}

fn descend(matches: &ArgMatches, globals: &Globals, entries: Vec<Entry>) -> (Outcome, u8) {
    let found = matches.subcommand().and_then(|(name, inner)| {
        entries
            .into_iter()
            .find(|entry| entry.name == name)
            .map(|entry| (entry, inner))
    });
    match found {
        Some((
            Entry {
                action: Action::Run(run, failed),
                ..
            },
            inner,
        )) => (run(inner, globals), failed),
        Some((
            Entry {
                action: Action::Group(entries),
                ..
            },
            inner,
        )) => {
            let mut globals = globals.clone();
            globals.above = Some(inner.clone());
            descend(inner, &globals, entries())
        }
        None => (
            Err(Failure::new("no verb was given").hint("see `berth --help`")),
            diagnostic::ENGINE,
        ),
    }
}

/// Docker's exit code: 125 for flags, 1 for what is no flag, for what is not there, and for what does not fit together.
fn usage_code(error: &clap::Error) -> u8 {
    let is_flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(text)) => text.starts_with('-'),
        _ => false,
    };
    match error.kind() {
        ClapKind::ArgumentConflict | ClapKind::MissingRequiredArgument => diagnostic::FAILED,
        _ if is_flag => diagnostic::ENGINE,
        _ => diagnostic::FAILED,
    }
}

/// clap's words in our form.
fn usage(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim_end);
    let first = lines
        .next()
        .unwrap_or_default()
        .trim_start_matches("error: ");
    let mut message = first.to_owned();
    let mut hint = None;
    for line in lines.map(str::trim_start).filter(|line| !line.is_empty()) {
        // Words after the image need no `--`, and elsewhere it is rarely meant.
        if line.starts_with("tip: to pass") {
            continue;
        }
        if let Some(tip) = line.strip_prefix("tip: ") {
            hint = hint.or_else(|| Some(tip.to_owned()));
        } else if line.starts_with("Usage:") {
            hint = hint.or_else(|| Some(line.replacen("Usage:", "usage:", 1)));
        } else if !line.starts_with("For more information") {
            message = format!("{message} {line}");
        }
    }
    Failure {
        hint,
        ..Failure::new(message).code(usage_code(error))
    }
}
