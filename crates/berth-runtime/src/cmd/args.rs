//! A small reader of command lines: `--key value`, `--key=value`, `-k value`, flags (`--flag`, `--flag=false`),
//! `--`; one dash is as good as two, as to tools written in Go. Where no command follows, options may come
//! after operands, too.

use std::collections::VecDeque;

use crate::error::{Error, Result};

/// Arguments not read yet.
#[derive(Debug)]
pub struct Args {
    rest: VecDeque<String>,
    /// Operands that were passed over on the way to an option.
    passed: VecDeque<String>,
    permute: bool,
    /// From `--key=value`.
    pending: Option<String>,
    option: String,
}

impl Args {
    /// Takes the arguments.
    pub fn new(arguments: Vec<String>) -> Args {
        Args {
            rest: arguments.into(),
            passed: VecDeque::new(),
            permute: false,
            pending: None,
            option: String::new(),
        }
    }

    /// From here on options are looked for among the operands as well, up to `--`.
    pub fn permute(&mut self) {
        self.permute = true;
    }

    /// The next option; `None` before the first operand (or the end, when they are permuted), or after
    /// `--`.
    ///
    /// # Errors
    /// The option before was given a value and has none.
    pub fn next_option(&mut self) -> Result<Option<String>> {
        if self.pending.is_some() {
            return Err(usage(format!("the option {} takes no value", self.option)));
        }
        while self.permute
            && let Some(word) = self.rest.pop_front_if(|word| !is_option(word))
        {
            self.passed.push_back(word);
        }
        match self.rest.front() {
            Some(word) if word == "--" => {
                self.rest.pop_front();
                self.permute = false;
                Ok(None)
            }
            Some(word) if is_option(word) => {
                let word = self.rest.pop_front().unwrap_or_default();
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (word, None),
                };
                let name = if name.len() > 2 && !name.starts_with("--") {
                    format!("-{name}")
                } else {
                    name
                };
                self.pending = value;
                self.option = name.clone();
                Ok(Some(name))
            }
            _ => Ok(None),
        }
    }

    /// The value of the option just read.
    ///
    /// # Errors
    /// There is none.
    pub fn value(&mut self) -> Result<String> {
        let value = self.pending.take().or_else(|| self.rest.pop_front());
        value.ok_or_else(|| usage(format!("the option {} needs a value", self.option)))
    }

    /// As [`Args::value`], a number.
    ///
    /// # Errors
    /// It is none.
    pub fn number(&mut self) -> Result<u32> {
        let text = self.value()?;
        text.parse().map_err(|_| {
            usage(format!(
                "the option {} needs a number, not `{text}`",
                self.option
            ))
        })
    }

    /// A flag's: on, or what came with `=`.
    ///
    /// # Errors
    /// It is neither true nor false.
    pub fn flag(&mut self) -> Result<bool> {
        match self.pending.take() {
            None => Ok(true),
            Some(text) => boolean(&text).ok_or_else(|| {
                usage(format!(
                    "the option {} is true or false, not `{text}`",
                    self.option
                ))
            }),
        }
    }

    /// The next operand.
    pub fn next_operand(&mut self) -> Option<String> {
        self.passed.pop_front().or_else(|| self.rest.pop_front())
    }

    /// The next operand, which must be there.
    ///
    /// # Errors
    /// It is not.
    pub fn operand(&mut self, what: &str) -> Result<String> {
        self.next_operand()
            .ok_or_else(|| usage(format!("{what} is missing")))
    }

    /// The one operand that is left.
    ///
    /// # Errors
    /// There is none, or there are more.
    pub fn only_operand(&mut self, what: &str) -> Result<String> {
        let operand = self.operand(what)?;
        self.end()?;
        Ok(operand)
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub fn end(&self) -> Result<()> {
        match self.passed.front().or(self.rest.front()) {
            Some(word) => Err(usage(format!("`{word}` is too much"))),
            None => Ok(()),
        }
    }

    /// All that is left.
    pub fn rest(self) -> Vec<String> {
        self.rest.into()
    }

    /// What is left, for a log.
    pub fn line(&self) -> String {
        let words: Vec<&str> = self.rest.iter().map(String::as_str).collect();
        words.join(" ")
    }

    /// What is left is another verb's.
    pub fn set_verb(&mut self, verb: &str) {
        self.rest = VecDeque::from([verb.to_owned()]);
    }
}

/// `-` alone is an operand.
fn is_option(word: &str) -> bool {
    word.len() > 1 && word.starts_with('-')
}

/// An option that the verb does not have; a call for help, if it is that.
pub fn unknown(option: &str) -> Error {
    match option {
        "-h" | "--help" => Error::Help,
        _ => usage(format!("the option {option} is not known")),
    }
}

/// As Go reads it. Source: strconv.ParseBool.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A wrong command line.
pub fn usage(message: String) -> Error {
    Error::Usage { message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(words: &[&str]) -> Args {
        Args::new(words.iter().map(|w| (*w).to_owned()).collect())
    }

    #[test]
    fn options_end_at_the_first_operand() {
        let mut args = args(&["--root", "/r", "--log=x=y", "-d", "-root", "z", "run", "-x"]);
        assert_eq!(args.next_option().unwrap().unwrap(), "--root");
        assert_eq!(args.value().unwrap(), "/r");
        assert_eq!(args.next_option().unwrap().unwrap(), "--log");
        assert_eq!(args.value().unwrap(), "x=y");
        assert_eq!(args.next_option().unwrap().unwrap(), "-d");
        assert_eq!(args.next_option().unwrap().unwrap(), "--root");
        assert_eq!(args.value().unwrap(), "z");
        assert_eq!(args.next_option().unwrap(), None);
        assert_eq!(args.next_operand().unwrap(), "run");
        assert_eq!(args.rest(), ["-x"]);
    }

    #[test]
    fn options_may_follow_operands_where_no_command_does() {
        let mut a = args(&["id", "--bundle", "b", "TERM", "-a", "--", "-x"]);
        a.permute();
        assert_eq!(a.next_option().unwrap().unwrap(), "--bundle");
        assert_eq!(a.value().unwrap(), "b");
        assert_eq!(a.next_option().unwrap().unwrap(), "-a");
        assert_eq!(a.next_option().unwrap(), None);
        for operand in ["id", "TERM", "-x"] {
            assert!(a.end().is_err());
            assert_eq!(a.next_operand().unwrap(), operand);
        }
        a.end().unwrap();
    }

    #[test]
    fn one_dash_is_enough_and_flags_may_be_off() {
        let mut a = args(&[
            "-format=json",
            "-e=A=b",
            "--tty=false",
            "-t",
            "--keep=maybe",
        ]);
        assert_eq!(a.next_option().unwrap().unwrap(), "--format");
        assert_eq!(a.value().unwrap(), "json");
        assert_eq!(a.next_option().unwrap().unwrap(), "-e");
        assert_eq!(a.value().unwrap(), "A=b");
        assert_eq!(a.next_option().unwrap().unwrap(), "--tty");
        assert!(!a.flag().unwrap());
        assert_eq!(a.next_option().unwrap().unwrap(), "-t");
        assert!(a.flag().unwrap());
        a.next_option().unwrap();
        assert!(a.flag().is_err());
        assert!(matches!(unknown("--help"), Error::Help));
    }

    #[test]
    fn mistakes_are_told() {
        let mut a = args(&["--root"]);
        a.next_option().unwrap();
        assert!(a.value().is_err());
        let mut a = args(&["--flag=1", "x"]);
        a.next_option().unwrap();
        assert!(a.next_option().is_err(), "a flag has no value");
        assert!(args(&["a", "b"]).only_operand("an id").is_err());
        assert!(args(&[]).only_operand("an id").is_err());
        let mut a = args(&["--", "-x"]);
        assert_eq!(a.next_option().unwrap(), None);
        assert_eq!(a.next_operand().unwrap(), "-x");
    }
}
