//! Signal names and numbers, as users and images write them.

/// A value, or what is wrong with the text.
type Parsed<T> = Result<T, String>;

/// Source: signal(7), x86-64 and arm64.
const SIGNALS: &[(&str, i32)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// `TERM`, `SIGTERM`, `sigterm`, `15`, `RTMIN+3`, `RTMAX-1` → the number.
///
/// # Errors
/// Why it is none.
pub fn parse(text: &str) -> Parsed<i32> {
    let bad = || format!("`{text}` is not a signal");
    let text = text.trim();
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=64).contains(&number) {
            Ok(number)
        } else {
            Err(bad())
        };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = SIGNALS.iter().find(|(known, _)| *known == name) {
        return Ok(*number);
    }
    // The C library keeps 32 and 33 for itself; RTMIN is 34 for programs.
    let offset = |rest: &str| {
        if rest.is_empty() {
            Ok(0)
        } else {
            rest[1..].parse::<i32>().map_err(|_| bad())
        }
    };
    let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
        (Some(rest), _) if rest.is_empty() || rest.starts_with('+') => 34 + offset(rest)?,
        (_, Some(rest)) if rest.is_empty() || rest.starts_with('-') => 64 - offset(rest)?,
        _ => return Err(bad()),
    };
    if (34..=64).contains(&number) {
        Ok(number)
    } else {
        Err(bad())
    }
}

/// `SIGTERM` for 15; a number without a name stays a number.
pub fn name(signal: i32) -> String {
    SIGNALS
        .iter()
        .find(|(_, number)| *number == signal)
        .map_or_else(|| signal.to_string(), |(name, _)| format!("SIG{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_usual_spelling() {
        for (text, want) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigterm", 15),
            ("15", 15),
            ("kill", 9),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-1", 63),
            ("64", 64),
        ] {
            assert_eq!(parse(text), Ok(want), "{text}");
        }
        for bad in [
            "", "SIG", "0", "65", "-9", "RTMIN-1", "RTMAX+1", "RTMIN+31", "TERMX", "RTMINé",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(40), "40");
    }
}
