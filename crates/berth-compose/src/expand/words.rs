//! A line's words, as a POSIX shell has them, without anything that it would run or replace.

/// Splits a line; what a quote encloses is part of one word.
pub(crate) fn split(line: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('\'') => break,
                        Some(c) => word.push(c),
                        None => return Err("a ' is not closed".to_owned()),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => match chars.next() {
                            Some(c @ ('"' | '\\' | '$' | '`')) => word.push(c),
                            Some('\n') => {}
                            Some(c) => word.extend(['\\', c]),
                            None => return Err("a \" is not closed".to_owned()),
                        },
                        Some(c) => word.push(c),
                        None => return Err("a \" is not closed".to_owned()),
                    }
                }
            }
            '\\' => match chars.next() {
                Some('\n') => {}
                Some(c) => word.get_or_insert_default().push(c),
                None => return Err("nothing stands behind the last \\".to_owned()),
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_as_a_shell_has_them() {
        for (line, want) in [
            ("", &[][..]),
            ("  a   b\t", &["a", "b"]),
            ("a 'b c' d", &["a", "b c", "d"]),
            ("a \"b 'c'\" d", &["a", "b 'c'", "d"]),
            (
                "sh -c \"echo \\\"x\\\" \\$y \\n\"",
                &["sh", "-c", "echo \"x\" $y \\n"],
            ),
            ("a\\ b", &["a b"]),
            ("''", &[""]),
            ("a''b", &["ab"]),
            ("a \\\n  b", &["a", "b"]),
            ("a=\"b c\"", &["a=b c"]),
        ] {
            let got = split(line).unwrap();
            assert_eq!(got, want, "{line:?}");
        }
        for line in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(line).is_err(), "{line:?}");
        }
    }
}
