//! Text that a container or an image chose, made safe for a terminal (security: D31).

/// Replaces control characters (C0, DEL, C1) and the characters that reorder or hide text (bidirectional
/// marks and isolates, zero-width ones) by `?`, so that no text can move the cursor or lie about its order.
pub fn terminal(text: &str) -> String {
    text.chars()
        .map(|c| if is_unsafe(c) { '?' } else { c })
        .collect()
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{061c}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminals_ear() {
        assert_eq!(terminal("a\x1b]0;x\x07\r\nb"), "a?]0;x???b");
        assert_eq!(terminal("a\u{9b}31m\u{202e}txt\u{200b}"), "a?31m?txt?");
        assert_eq!(terminal("grüße 日本"), "grüße 日本");
    }
}
