//! What differs from run to run: ids, times, sizes, addresses, ports. And columns' widths, which follow them.

/// A text without what differs from run to run.
pub fn text(text: &str) -> String {
    // How soon the client sees that it waits for nothing is a race.
    let is_race = |line: &&str| line.contains("error waiting for container: context canceled");
    let lines = text.trim_end().lines().filter(|line| !is_race(line));
    let lines: Vec<String> = lines.map(line).collect();
    lines.join("\n")
}

fn line(line: &str) -> String {
    let line = &places(line);
    let mut words: Vec<String> = Vec::new();
    for gap in line
        .trim_end()
        .split("  ")
        .filter(|cell| !cell.trim().is_empty())
    {
        words.push(ages(&pieces(gap.trim())));
    }
    words.join("  ")
}

/// The directory of the sandbox.
fn places(text: &str) -> String {
    let mut parts = text.split("/tmp/berth-t.");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        text + "<place>" + &part[part.len().min(6)..]
    })
}

/// Every piece of letters and digits by itself.
fn pieces(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
        if end == 0 {
            let c = rest.chars().next().expect("it is not empty");
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            out += &word(&rest[..end]);
            rest = &rest[end..];
        }
    }
    out
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-' | '+')
}

fn word(word: &str) -> String {
    if let Some(rest) = word.strip_prefix("sha256:") {
        return format!("sha256:{}", self::word(rest));
    }
    if let Some(rest) = word.strip_prefix(':') {
        return format!(":{}", self::word(rest));
    }
    let is_hex = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    // At the end of a sentence, or before what is more.
    if let Some(before) = word.strip_suffix(['.', ',', ':']) {
        return self::word(before) + &word[before.len()..];
    }
    let bytes = word.as_bytes();
    if matches!(word.len(), 12 | 64) && is_hex(word) {
        return format!("<id{}>", word.len());
    }
    if bytes.len() >= 19 && bytes[4] == b'-' && bytes[10] == b'T' && !word.starts_with("0001") {
        return "<time>".into();
    }
    let number = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = &word[number.len()..];
    if number.parse::<f64>().is_ok() && matches!(unit, "B" | "kB" | "MB" | "GB") {
        return "<size>".into();
    }
    if word.len() > 9 && word.bytes().all(|b| b.is_ascii_digit()) {
        return "<moment>".into();
    }
    // Docker's ports are from a range of its own.
    if let Some(port) = word
        .strip_prefix("127.0.0.1:")
        .and_then(|rest| rest.strip_suffix('-'))
        && port.len() == 5
    {
        return "127.0.0.1:<port>-".into();
    }
    word.into()
}

/// `3 seconds ago`, `Up About a minute`, `Less than a second`.
fn ages(text: &str) -> String {
    let mut out = text.to_owned();
    for phrase in ["Less than a second", "About a minute", "About an hour"] {
        out = out.replace(phrase, "<age>");
    }
    for unit in [" seconds", " second", " minutes", " minute", " hours"] {
        while let Some(at) = out.find(unit) {
            let start = out[..at]
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .len();
            if start == at {
                break;
            }
            out.replace_range(start..at + unit.len(), "<age>");
        }
    }
    out
}
