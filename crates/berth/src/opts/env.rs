//! Environment variables: `-e NAME=value`, `-e NAME` (taken from the caller's environment) and env files.

use super::Parsed;

/// One `-e`: complete text stays; a bare name takes the caller's value, and stays bare (which removes
/// what the image sets) when the caller has none.
pub fn variable(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Parsed<String> {
    if text.is_empty() || text.starts_with('=') {
        return Err(format!("`{text}` has no variable name"));
    }
    if text.contains('\0') {
        return Err("a variable holds a NUL byte".into());
    }
    if text.contains('=') {
        return Ok(text.to_owned());
    }
    Ok(lookup(text).map_or_else(|| text.to_owned(), |value| format!("{text}={value}")))
}

/// The content of an env file: one variable a line; `#` opens a comment line; nothing is unquoted.
/// A bare name that the caller lacks is left out.
///
/// Source: docker/cli `pkg/kvfile`.
pub fn file(content: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Parsed<Vec<String>> {
    let mut variables = Vec::new();
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    for (index, line) in content.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let name = line.split_once('=').map_or(line, |(name, _)| name);
        if name.is_empty() {
            return Err(format!("line {}: no variable name", index + 1));
        }
        if name.contains(char::is_whitespace) {
            return Err(format!(
                "line {}: variable `{name}` contains white space",
                index + 1
            ));
        }
        if line.contains('\0') {
            return Err(format!("line {}: NUL byte", index + 1));
        }
        match (line.contains('='), lookup(name)) {
            (true, _) => variables.push(line.to_owned()),
            (false, Some(value)) => variables.push(format!("{name}={value}")),
            (false, None) => {}
        }
    }
    Ok(variables)
}

/// Labels from a file: as [`file`], but a bare name is a label without a value.
pub fn label_file(content: &str) -> Parsed<Vec<(String, String)>> {
    let lines = file(content, &|_| Some(String::new()))?;
    lines.iter().map(|line| super::label(line)).collect()
}

/// The caller's environment.
pub fn caller(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/me".to_owned())
    }

    #[test]
    fn bare_names_take_the_callers_value() {
        assert_eq!(variable("A=b=c", &lookup), Ok("A=b=c".into()));
        assert_eq!(variable("A=", &lookup), Ok("A=".into()));
        assert_eq!(variable("HOME", &lookup), Ok("HOME=/home/me".into()));
        assert_eq!(variable("NOPE", &lookup), Ok("NOPE".into()));
        assert!(variable("=x", &lookup).is_err());
        assert!(variable("", &lookup).is_err());
    }

    #[test]
    fn files_are_read_as_docker_reads_them() {
        let text = "\u{feff}# comment\n  A=1 \n\nB=\"quoted\"\nHOME\nNOPE\nC=a#b\nD=\r\n";
        let want = ["A=1 ", "B=\"quoted\"", "HOME=/home/me", "C=a#b", "D="];
        assert_eq!(file(text, &lookup), Ok(want.map(String::from).to_vec()));
        for (bad, says) in [
            ("A B=1", "line 1: variable `A B` contains white space"),
            ("X=1\n=2", "line 2: no variable name"),
        ] {
            assert_eq!(file(bad, &lookup), Err(says.into()));
        }
        assert_eq!(
            label_file("a=b\nc"),
            Ok(vec![("a".into(), "b".into()), ("c".into(), String::new())])
        );
    }
}
