//! What is sent for a verb: its arguments as its own parser read them, with the files that they name brought along.
//!
//! One table (`place`, `treat`) says of every verb where it runs, and of every option that names something of this
//! machine what becomes of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use berth_model::command::{Argument, VARIABLES};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::logins;
use super::session::Input;
use crate::cmd::unfinished::Unfinished;
use crate::opts::{self, env, mount};
use crate::ui::diagnostic::Failure;

/// All that a session needs.
pub struct Request {
    /// The verb, and all behind it.
    pub arguments: Vec<Argument>,
    /// Variables that matter there.
    pub environment: BTreeMap<String, String>,
    /// What standard input is; `None`: nobody reads it.
    pub input: Option<Input>,
    /// Files of ours that the verb writes over there, by number.
    pub files: Vec<PathBuf>,
    /// Where standard output goes, if it is a file that an option named.
    pub output: Option<Output>,
}

/// A file in the making.
pub struct Output {
    /// Open.
    pub file: File,
    /// Gives it its name.
    pub unfinished: Unfinished,
}

/// Where a verb runs when a daemon was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the client: it concerns this machine, its logins, or registries alone.
    Here,
    /// Where the daemon is.
    There,
    /// Nowhere.
    Nowhere(&'static str),
}

/// The first part of the table. `path`: the verb as it is called, `["image", "ls"]`.
pub fn place(path: &[&str]) -> Place {
    match path {
        [
            "completion" | "context" | "daemon" | "internal" | "login" | "logout" | "search",
            ..,
        ] => Place::Here,
        // Programs and files of this machine, and other machines' registries.
        ["registry" | "artifact", ..]
        | ["trust", "key", ..]
        | ["system", "dial-stdio"]
        | ["compose", "config"] => Place::Here,
        ["unshare"] => Place::Nowhere("it is about the user namespaces of this machine"),
        ["trust", "set"] => {
            Place::Nowhere("keys that a policy names are files of the daemon's machine")
        }
        _ => Place::There,
    }
}

/// What becomes of an option's value.
enum Treat {
    /// It goes as it is.
    Keep,
    /// A name alone takes our variable's value.
    Variable,
    /// Each line is a `--env`.
    Variables,
    /// Each line is a `--label`.
    Labels,
    /// A relative source is one of our directory: its path is what the daemon is told.
    Volume,
    /// The same.
    Mount,
    /// `seccomp=FILE`: its content goes along.
    Security,
    /// The content goes along.
    Content,
    /// What is written to it comes back.
    Back,
    /// It becomes standard input.
    Input,
    /// Standard output is written to it.
    Output,
}

/// The second part of the table. `verb`: without the group that it may stand behind.
fn treat(verb: &str, option: &str) -> Treat {
    match (verb, option) {
        ("run" | "create" | "exec", "env") => Treat::Variable,
        ("run" | "create" | "exec", "env_file") => Treat::Variables,
        ("run" | "create", "label_file") => Treat::Labels,
        ("run" | "create", "volume") => Treat::Volume,
        ("run" | "create", "mount") => Treat::Mount,
        ("run" | "create", "security_opt") => Treat::Security,
        ("run" | "create", "cidfile") => Treat::Back,
        ("push", "sign_by" | "passphrase_file") => Treat::Content,
        ("sign", "key" | "passphrase_file") | ("verify" | "inspect", "keys") => Treat::Content,
        ("load", "input") | ("import", "file") => Treat::Input,
        ("save" | "export", "output") => Treat::Output,
        _ => Treat::Keep,
    }
}

/// The verb that was called: its path, its parser, and what that read.
pub struct Called<'a> {
    /// `["container", "run"]`.
    pub path: Vec<&'a str>,
    command: &'a Command,
    matches: &'a ArgMatches,
}

impl<'a> Called<'a> {
    /// Goes down from the whole command line.
    pub fn find(mut command: &'a Command, mut matches: &'a ArgMatches) -> Called<'a> {
        let mut path = Vec::new();
        while let Some((name, inner)) = matches.subcommand() {
            let Some(next) = command.find_subcommand(name) else {
                break;
            };
            path.push(next.get_name());
            (command, matches) = (next, inner);
        }
        Called {
            path,
            command,
            matches,
        }
    }

    /// What is to be sent.
    ///
    /// # Errors
    /// A file cannot be read; a value makes no sense.
    pub fn request(&self) -> Result<Request, Failure> {
        self.check_copy()?;
        let mut making = Making {
            verb: self.path.last().copied().unwrap_or_default(),
            first: Vec::new(),
            rest: Vec::new(),
            input: None,
            files: Vec::new(),
            output: None,
        };
        let mut positional = Vec::new();
        for arg in self.command.get_arguments() {
            let id = arg.get_id().as_str();
            let given = matches!(
                self.matches.value_source(id),
                Some(ValueSource::CommandLine | ValueSource::EnvVariable)
            );
            match given && id != "help" {
                true if arg.is_positional() => positional.push(arg),
                true => making.option(arg, self.matches)?,
                false => {}
            }
        }
        positional.sort_by_key(|arg| arg.get_index());
        let path = self
            .path
            .iter()
            .map(|word| Argument::Text((*word).to_owned()));
        let mut arguments: Vec<Argument> = path.collect();
        let mut words = making.words(&positional, self.matches)?;
        arguments.append(&mut making.first);
        arguments.append(&mut making.rest);
        // Behind it nothing is an option of the verb's.
        arguments.push(Argument::Text("--".to_owned()));
        arguments.append(&mut words);
        let input = match making.input {
            Some(file) => Some(Input::File(file)),
            None => self.reads().then_some(Input::Typed),
        };
        Ok(Request {
            arguments,
            environment: self.environment()?,
            input,
            files: making.files,
            output: making.output,
        })
    }

    /// Files of ours are copied by way of an archive: the rules of `cp` need both sides at once.
    fn check_copy(&self) -> Result<(), Failure> {
        if self.path.last() != Some(&"cp") {
            return Ok(());
        }
        let of_container = |text: &str| match text.split_once(':') {
            Some((name, _)) => !name.starts_with(['/', '.']),
            None => text == "-",
        };
        let sides = ["source", "destination"].map(|id| self.text(id)?.to_str());
        match sides.into_iter().flatten().find(|text| !of_container(text)) {
            None => Ok(()),
            Some(path) => Err(Failure::new(format!(
                "`{path}` is a path of this machine, and the container is elsewhere"
            ))
            .hint("berth cp CONTAINER:PATH - | tar -x, or tar -c FILE | berth cp - CONTAINER:DIR")),
        }
    }

    /// Whether the verb reads standard input: else it is left to others (`while read … do berth ps; done`).
    fn reads(&self) -> bool {
        let on = |id: &str| self.on(id);
        let file = |id: &str| self.text(id).is_some_and(|name| name != "-");
        match self.path.last().copied().unwrap_or_default() {
            "run" => on("interactive") && !on("detach"),
            "exec" => on("interactive") && !on("detach"),
            "attach" => !on("no_stdin"),
            "start" => on("interactive"),
            "load" => !file("input"),
            "import" => !file("file"),
            "prune" => !on("force"),
            "cp" => self.text("source").is_some_and(|name| name == "-"),
            "push" => self.text("sign_by").is_some(),
            "sign" => true,
            _ => false,
        }
    }

    fn on(&self, id: &str) -> bool {
        self.matches
            .try_get_one::<bool>(id)
            .is_ok_and(|value| value == Some(&true))
    }

    fn text(&self, id: &str) -> Option<&OsStr> {
        self.matches.try_get_raw(id).ok()??.next()
    }

    /// Variables, and the logins for the registries of the images that are named.
    fn environment(&self) -> Result<BTreeMap<String, String>, Failure> {
        let mut words: BTreeMap<String, String> = VARIABLES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect();
        let images = [
            "image", "words", "images", "name", "names", "target", "source",
        ];
        let named = images.iter().filter_map(|id| self.text(id)?.to_str());
        let verb = self.path.last().copied().unwrap_or_default();
        let asks = matches!(verb, "run" | "create" | "pull" | "push")
            || matches!(self.path[..], ["manifest" | "trust", ..]);
        if asks && let Some(logins) = logins::of(named)? {
            words.insert("DOCKER_AUTH_CONFIG".to_owned(), logins);
        }
        Ok(words)
    }
}

/// A request in the making.
struct Making<'a> {
    verb: &'a str,
    /// What other options win over.
    first: Vec<Argument>,
    rest: Vec<Argument>,
    input: Option<File>,
    files: Vec<PathBuf>,
    output: Option<Output>,
}

impl Making<'_> {
    fn option(&mut self, arg: &Arg, matches: &ArgMatches) -> Result<(), Failure> {
        let id = arg.get_id().as_str();
        let name = match (arg.get_long(), arg.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => return Ok(()),
        };
        if matches!(arg.get_action(), ArgAction::Count) {
            let times = usize::from(matches.get_count(id));
            self.rest.extend(vec![Argument::Text(name); times]);
            return Ok(());
        }
        let before = match arg.get_long() {
            Some(_) => format!("{name}="),
            None => name,
        };
        for value in matches.get_raw(id).into_iter().flatten() {
            self.value(&before, text(value)?, treat(self.verb, id))?;
        }
        Ok(())
    }

    fn value(&mut self, before: &str, value: &str, treat: Treat) -> Result<(), Failure> {
        let told = |text: &str| Argument::Text(format!("{before}{text}"));
        let cwd = || std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let usage = |error: String| Failure::new(error);
        match treat {
            Treat::Keep => self.rest.push(told(value)),
            Treat::Variable => {
                let value = env::variable(value, &env::caller).map_err(usage)?;
                self.rest.push(told(&value));
            }
            Treat::Variables => {
                let read = opts::read(Path::new(value));
                let lines = read.and_then(|text| env::file(&text, &env::caller));
                let lines = lines.map_err(usage)?;
                let words = lines
                    .iter()
                    .map(|line| Argument::Text(format!("--env={line}")));
                self.first.extend(words);
            }
            Treat::Labels => {
                let read = opts::read(Path::new(value)).and_then(|text| env::label_file(&text));
                let labels = read.map_err(usage)?;
                let word = |(key, value)| Argument::Text(format!("--label={key}={value}"));
                self.first.extend(labels.into_iter().map(word));
            }
            Treat::Volume => {
                let value = mount::volume_in_full(value, &cwd()).map_err(usage)?;
                self.rest.push(told(&value));
            }
            Treat::Mount => {
                let value = mount::mount_in_full(value, &cwd()).map_err(usage)?;
                self.rest.push(told(&value));
            }
            Treat::Security => match value.strip_prefix("seccomp=") {
                Some("unconfined" | "builtin" | "default") | None => self.rest.push(told(value)),
                Some(path) => {
                    let content = opts::read(Path::new(path)).map_err(usage)?;
                    let before = format!("{before}seccomp=");
                    self.rest.push(Argument::Content(before, content));
                }
            },
            Treat::Content => {
                let content = opts::read(Path::new(value)).map_err(usage)?;
                self.rest
                    .push(Argument::Content(before.to_owned(), content));
            }
            Treat::Back => {
                let number = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
                self.files.push(PathBuf::from(value));
                self.rest.push(Argument::File(before.to_owned(), number));
            }
            Treat::Input => self.open(value)?,
            Treat::Output => {
                let path = Path::new(value);
                if path.is_dir() {
                    return Err(Failure::new("a directory cannot be written from elsewhere")
                        .hint("name a file, and unpack it"));
                }
                let (unfinished, file) = Unfinished::beside(path)?;
                self.output = Some(Output { file, unfinished });
            }
        }
        Ok(())
    }

    fn words(&mut self, args: &[&Arg], matches: &ArgMatches) -> Result<Vec<Argument>, Failure> {
        let mut words = Vec::new();
        for arg in args {
            let id = arg.get_id().as_str();
            for value in matches.get_raw(id).into_iter().flatten() {
                let mut value = text(value)?;
                if matches!(treat(self.verb, id), Treat::Input) && value != "-" {
                    // What is no file is the verb's to refuse.
                    if !value.contains("://") {
                        self.open(value)?;
                        value = "-";
                    }
                }
                words.push(Argument::Text(value.to_owned()));
            }
        }
        Ok(words)
    }

    fn open(&mut self, path: &str) -> Result<(), Failure> {
        if path == "-" {
            return Ok(());
        }
        let within = || format!("cannot open `{path}`");
        let file = File::open(path).map_err(|error| Failure::of(&error).within(within()))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(Failure::new("a directory cannot be read from elsewhere")
                .within(within())
                .hint("make an archive of it"));
        }
        self.input = Some(file);
        Ok(())
    }
}

/// Arguments travel as text.
fn text(value: &OsStr) -> Result<&str, Failure> {
    value.to_str().ok_or_else(|| {
        Failure::new(format!("`{}` is not UTF-8", value.to_string_lossy()))
            .hint("a daemon can be told text alone")
    })
}

#[cfg(test)]
mod tests;
