//! Truth values as texts.

/// Source: Go, `strconv.ParseBool`.
pub fn parse(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn as_go_has_them() {
        assert_eq!(
            [parse("T"), parse("0"), parse("yes"), parse("")],
            [Some(true), Some(false), None, None]
        );
    }
}
