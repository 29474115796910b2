//! Which files make the project, and the variables around it.
//!
//! Named files, else COMPOSE_FILE, else the first usual name in the directory or above it, with its override file. The
//! variables are the caller's, then those of `.env` or of the files named.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::{Error, Problem};
use crate::files::{Files, read};
use crate::interpolate::Variables;
use crate::{dotenv, paths};

/// In the order of preference.
const NAMES: [&str; 4] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yml",
    "docker-compose.yaml",
];
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Where {
    /// The caller's directory, absolute.
    pub directory: String,
    /// Files that were named; `-`: standard input.
    pub files: Vec<String>,
    /// The project's directory, if it was named.
    pub project_directory: Option<String>,
    /// Files of variables that were named.
    pub env_files: Vec<String>,
    /// The caller's variables.
    pub environment: BTreeMap<String, String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The project's files, absolute; the later over the earlier ones.
    pub files: Vec<String>,
    /// The project's directory, absolute.
    pub directory: String,
    /// The caller's variables, and below them those of files.
    pub variables: BTreeMap<String, String>,
    /// What the user may want to know.
    pub warnings: Vec<String>,
}

/// Finds the project.
///
/// # Errors
/// There is none, or a file of variables cannot be used.
pub fn locate(files: &dyn Files, place: &Where) -> Result<Found, Error> {
    let mut found = Found {
        variables: place.environment.clone(),
        ..Found::default()
    };
    let here = |path: &str| paths::absolute(path, &place.directory, None);
    let named = place.project_directory.as_deref().map(here);
    // COMPOSE_FILE may itself stand in a file of variables.
    read_variables(
        files,
        place,
        named.as_deref().unwrap_or(&place.directory),
        &mut found,
    )?;
    let listed = match found.variables.get("COMPOSE_FILE") {
        Some(list) if place.files.is_empty() && !list.is_empty() => {
            let separator = found.variables.get("COMPOSE_PATH_SEPARATOR");
            let separator = separator.map_or(":", String::as_str);
            list.split(separator).map(str::to_owned).collect()
        }
        _ => place.files.clone(),
    };
    found.files = match listed.is_empty() {
        true => usual(
            files,
            named.as_deref().unwrap_or(&place.directory),
            &mut found.warnings,
        )?,
        false => listed
            .iter()
            .map(|path| {
                if path == "-" {
                    path.clone()
                } else {
                    here(path)
                }
            })
            .collect(),
    };
    found.directory = match (named, found.files.first()) {
        (Some(named), _) => named,
        (None, Some(file)) if file != "-" => paths::parent(file).to_owned(),
        _ => place.directory.clone(),
    };
    if found.directory != place.directory {
        let directory = found.directory.clone();
        read_variables(files, place, &directory, &mut found)?;
    }
    Ok(found)
}

fn usual(files: &dyn Files, from: &str, warnings: &mut Vec<String>) -> Result<Vec<String>, Error> {
    let mut directory = from;
    loop {
        let there = |names: &[&str]| -> Vec<String> {
            let path = |name: &&str| paths::absolute(name, directory, None);
            let paths = names.iter().map(path);
            paths.filter(|path| files.exists(path.as_ref())).collect()
        };
        let found = there(&NAMES);
        if let Some(first) = found.first() {
            if found.len() > 1 {
                warnings.push(format!(
                    "there are several compose files: {}; {} is used",
                    found.join(", "),
                    first
                ));
            }
            let mut found = vec![first.clone()];
            found.extend(there(&OVERRIDES).into_iter().next());
            return Ok(found);
        }
        if directory == "/" {
            return Err(Error::NoFile {
                directory: PathBuf::from(from),
            });
        }
        directory = paths::parent(directory);
    }
}

/// Adds what is not set yet.
fn read_variables(
    files: &dyn Files,
    place: &Where,
    directory: &str,
    found: &mut Found,
) -> Result<(), Error> {
    let listed = match found.variables.get("COMPOSE_ENV_FILES") {
        Some(list) if place.env_files.is_empty() && !list.is_empty() => {
            list.split(',').map(str::to_owned).collect()
        }
        _ => place.env_files.clone(),
    };
    let is_off = found.variables.get("COMPOSE_DISABLE_ENV_FILE");
    let is_off = is_off.is_some_and(|text| crate::value::truth(text) == Ok(true));
    let paths: Vec<String> = match listed.is_empty() {
        true => {
            let usual = paths::absolute(".env", directory, None);
            Some(usual)
                .filter(|path| !is_off && files.exists(path.as_ref()))
                .into_iter()
                .collect()
        }
        false => listed
            .iter()
            .map(|path| paths::absolute(path, &place.directory, None))
            .collect(),
    };
    let around = Variables::new(std::mem::take(&mut found.variables));
    let read = read_env_files(files, &paths, &around, &place.directory);
    found.variables = around.with_below(read?).all();
    found.warnings.extend(crate::load::missed(&around));
    Ok(())
}

/// The variables of files; the later over the earlier ones, and `around` over both where they refer to some.
pub(crate) fn read_env_files(
    files: &dyn Files,
    paths: &[String],
    around: &Variables,
    directory: &str,
) -> Result<BTreeMap<String, String>, Error> {
    let mut values = BTreeMap::new();
    for path in paths {
        let text = read(files, path)?;
        let outside = |name: &str| around.get(name).map(str::to_owned);
        dotenv::parse(&text, &outside, &mut values, &mut |name| around.miss(name))
            .map_err(|wrong| Error::one(in_env_file(path, directory, wrong)))?;
    }
    Ok(values)
}

pub(crate) fn in_env_file(path: &str, directory: &str, wrong: dotenv::Wrong) -> Problem {
    Problem {
        file: shown(path, directory).to_owned(),
        line: wrong.line,
        column: 1,
        path: String::new(),
        text: wrong.text,
        hint: Some("a line is NAME=value, with quotes around what has several lines".to_owned()),
    }
}

/// A path as the user would write it where he is.
pub(crate) fn shown<'a>(path: &'a str, directory: &str) -> &'a str {
    let below = path
        .strip_prefix(directory)
        .and_then(|rest| rest.strip_prefix('/'));
    below.filter(|below| !below.is_empty()).unwrap_or(path)
}

#[cfg(test)]
mod tests;
