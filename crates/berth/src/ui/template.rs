//! `--format`: the part of Go's text/template that docker's users write.
//!
//! Fields and chains (`.State.Status`), variables, pipelines, `if`/`else if`/`else`, `range`, `with`,
//! `break`, `continue`, comments, white-space trimming, the comparison and logic functions, `index`,
//! `slice`, `len`, `print`, `printf`, `println`, and docker's `json split join title lower upper pad
//! truncate`. Missing: `define`, `template`, `block`.
//!
//! `lex` cuts the text into tokens, `parse` makes nodes of them, `exec` runs those over a
//! [`value::Value`].
//!
//! Source: Go, package text/template; docker/cli `templates/templates.go`.

mod exec;
mod funcs;
mod lex;
mod of;
mod parse;
mod printf;
pub mod value;

pub use value::Value;

use std::fmt;

/// A template, parsed.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<parse::Node>,
}

/// What is wrong with a template, or with its use on some data: one sentence.
#[derive(Debug, PartialEq)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl Template {
    /// Parses `text`.
    ///
    /// # Errors
    /// A syntax error or an unknown function.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let tokens = lex::tokens(text).map_err(Error)?;
        Ok(Template {
            nodes: parse::nodes(tokens).map_err(Error)?,
        })
    }

    /// Runs the template with `.` as `data`.
    ///
    /// # Errors
    /// A field that does not exist, or a function that cannot work on its arguments.
    pub fn render(&self, data: &Value) -> Result<String, Error> {
        exec::run(&self.nodes, data, false).map_err(Error)
    }

    /// Runs the template over a table's headers, where docker's functions give back the header as it is.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_header(&self, headers: &Value) -> Result<String, Error> {
        exec::run(&self.nodes, headers, true).map_err(Error)
    }
}

#[cfg(test)]
mod tests;
