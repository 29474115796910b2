//! A Rust file as the rules see it: its code without comments and literals, and which lines are tests.

/// One `.rs` file.
pub struct Source {
    /// Path in the repository, with `/`.
    pub path: String,
    /// The file as it is.
    pub text: String,
    /// The same number of lines, with comments and the insides of literals blanked.
    pub code: Vec<String>,
    /// By line: part of a test.
    pub test: Vec<bool>,
}

impl Source {
    /// Reads a file's text.
    pub fn parse(path: &str, text: &str) -> Source {
        let code: Vec<String> = blank(text).lines().map(str::to_owned).collect();
        let test = if is_test_file(path) {
            vec![true; code.len()]
        } else {
            test_lines(&code)
        };
        Source {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            test,
        }
    }

    /// The crate's directory name (`berth-fs`), or the first part of the path.
    pub fn package(&self) -> &str {
        let mut parts = self.path.split('/');
        match parts.next() {
            Some("crates" | "tests") => parts.next().unwrap_or_default(),
            first => first.unwrap_or_default(),
        }
    }

    /// The lines that are no test, numbered from 1.
    pub fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.iter().zip(&self.test).enumerate();
        lines
            .filter(|(_, (_, test))| !**test)
            .map(|(n, (line, _))| (n + 1, line.as_str()))
    }
}

/// `tests/…`, `x/tests.rs`, `x/tests/…`, benches and fuzz targets.
fn is_test_file(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
}

/// Marks what stands under `#[cfg(test)]`, up to the closing brace in the attribute's own column. Relies
/// on rustfmt's layout.
fn test_lines(code: &[String]) -> Vec<bool> {
    let mut test = vec![false; code.len()];
    let mut n = 0;
    while n < code.len() {
        let indent = code[n].len() - code[n].trim_start().len();
        if code[n].trim() != "#[cfg(test)]" {
            n += 1;
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        loop {
            test[n] = true;
            let line = &code[n];
            let one_line_item = line.trim_end().ends_with(';')
                && line.starts_with(&closing[..indent])
                && !line[indent..].starts_with(' ');
            n += 1;
            if one_line_item || *line == closing || n == code.len() {
                break;
            }
        }
    }
    test
}

/// Replaces comments and the insides of string and character literals by spaces; keeps line breaks.
fn blank(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let before = out.chars().next_back().unwrap_or(' ');
        let hidden = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => string(rest),
            'r' if !is_word(before) || before == 'b' || before == 'c' => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if hidden == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out.extend(
                rest[..hidden]
                    .chars()
                    .map(|c| if c == '\n' { '\n' } else { ' ' }),
            );
            rest = &rest[hidden..];
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of the (nesting) block comment that `text` opens with.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of the string literal that `text` opens with.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the raw string that `text` opens with; 0 if it is none.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].bytes().take_while(|b| *b == b'#').count();
    let body = 1 + hashes + 1;
    if text.as_bytes().get(body - 1) != Some(&b'"') {
        return 0;
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    text[body..]
        .find(&closing)
        .map_or(text.len(), |at| body + at + closing.len())
}

/// Length of the character literal that `text` opens with; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(text.len(), |at| 3 + at + 1),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blank() {
        let text = "a(\"unsafe\"); // unsafe\nr#\"unsafe \" x\"# /* unsafe /* in */ still */ b('\\'', '\"', 'x)";
        let code = blank(text);
        assert!(!code.contains("unsafe"), "{code}");
        assert!(code.starts_with("a("), "{code}");
        assert!(code.contains("b(") && code.ends_with("'x)"), "{code}");
        assert_eq!(code.lines().count(), text.lines().count());
    }

    #[test]
    fn names_that_end_in_r_are_no_raw_strings() {
        assert_eq!(blank("for x in var\"\""), "for x in var  ");
        assert_eq!(blank("br\"unsafe\" c"), "b          c");
    }

    #[test]
    fn test_modules_are_marked() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let source = Source::parse("crates/x/src/lib.rs", text);
        let product: Vec<&str> = source.product_code().map(|(_, line)| line).collect();
        assert_eq!(product, ["fn a() {}", "fn c() {}", "fn d() {}"]);
    }

    #[test]
    fn test_files_have_no_product_code() {
        for path in [
            "tests/engine/src/a.rs",
            "crates/x/src/y/tests.rs",
            "crates/x/tests/z.rs",
        ] {
            assert_eq!(
                Source::parse(path, "fn a() {}\n").product_code().count(),
                0,
                "{path}"
            );
        }
    }

    #[test]
    fn packages_have_names() {
        let package = |path| Source::parse(path, "").package().to_owned();
        assert_eq!(package("crates/berth-fs/src/lib.rs"), "berth-fs");
        assert_eq!(package("xtask/src/main.rs"), "xtask");
        assert_eq!(package("tests/testkit/src/lib.rs"), "testkit");
    }
}
