//! Text → tokens. `{{- ` and ` -}}` trim the text beside them here, so the parser never sees it.

/// A token; those of an action stand between `Open` and `Close`.
#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// Plain text.
    Text(String),
    /// `{{`
    Open,
    /// `}}`
    Close,
    /// `.`
    Dot,
    /// `.A.B`
    Field(Vec<String>),
    /// `.A.B` directly behind `)`
    Chain(Vec<String>),
    /// `$x.A.B`; the name without `$`.
    Variable(String, Vec<String>),
    /// A function or keyword.
    Word(String),
    /// A string.
    Str(String),
    /// An integer.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// `|`
    Pipe,
    /// `(`
    LeftParen,
    /// `)`
    RightParen,
    /// `:=`
    Declare,
    /// `=`
    Assign,
    /// `,`
    Comma,
}

/// Cuts `text` up.
pub fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut trim_next = false;
    while !rest.is_empty() {
        let (plain, action) = match rest.find("{{") {
            Some(at) => (&rest[..at], Some(&rest[at + 2..])),
            None => (rest, None),
        };
        let mut plain = if trim_next { plain.trim_start() } else { plain };
        let Some(mut action) = action else {
            push_text(&mut tokens, plain);
            break;
        };
        if let Some(trimmed) = action
            .strip_prefix('-')
            .filter(|t| t.starts_with(char::is_whitespace))
        {
            plain = plain.trim_end();
            action = trimmed;
        }
        push_text(&mut tokens, plain);
        let (consumed, trims) = if action.trim_start().starts_with("/*") {
            comment(action)?
        } else {
            tokens.push(Token::Open);
            let end = lex_action(action, &mut tokens)?;
            tokens.push(Token::Close);
            end
        };
        trim_next = trims;
        rest = &action[consumed..];
    }
    Ok(tokens)
}

fn push_text(tokens: &mut Vec<Token>, text: &str) {
    if !text.is_empty() {
        tokens.push(Token::Text(text.to_owned()));
    }
}

/// The length of a comment with its closing braces, and whether it trims what follows.
fn comment(action: &str) -> Result<(usize, bool), String> {
    let end = action.find("*/").ok_or("a comment is not closed")? + 2;
    let after = &action[end..];
    for (close, trims) in [("}}", false), (" -}}", true)] {
        if after.starts_with(close) {
            return Ok((end + close.len(), trims));
        }
    }
    Err("a comment must end with `*/}}`".into())
}

fn lex_action(action: &str, tokens: &mut Vec<Token>) -> Result<(usize, bool), String> {
    let mut at = 0;
    let mut after_paren = false;
    loop {
        let rest = &action[at..];
        let Some(c) = rest.chars().next() else {
            return Err("an action is not closed with `}}`".into());
        };
        if rest.starts_with("}}") {
            return Ok((at + 2, false));
        }
        if c.is_whitespace() {
            if rest.trim_start().starts_with("-}}") {
                return Ok((at + rest.find("-}}").unwrap_or(0) + 3, true));
            }
            at += c.len_utf8();
            after_paren = false;
            continue;
        }
        let (token, length) = one(rest, c, after_paren)?;
        after_paren = token == Token::RightParen;
        tokens.push(token);
        at += length;
    }
}

fn one(rest: &str, c: char, after_paren: bool) -> Result<(Token, usize), String> {
    let second = rest[c.len_utf8()..].chars().next();
    Ok(match c {
        '|' => (Token::Pipe, 1),
        '(' => (Token::LeftParen, 1),
        ')' => (Token::RightParen, 1),
        ',' => (Token::Comma, 1),
        ':' if second == Some('=') => (Token::Declare, 2),
        '=' => (Token::Assign, 1),
        '"' => quoted(rest)?,
        '`' => {
            let end = rest[1..].find('`').ok_or("a raw string is not closed")?;
            (Token::Str(rest[1..=end].to_owned()), end + 2)
        }
        '.' if second.is_some_and(|s| s.is_alphabetic() || s == '_') => {
            let (fields, length) = chain(rest);
            (
                if after_paren {
                    Token::Chain(fields)
                } else {
                    Token::Field(fields)
                },
                length,
            )
        }
        '.' if !second.is_some_and(|s| s.is_ascii_digit()) => (Token::Dot, 1),
        '$' => {
            let length = word_len(&rest[1..]);
            let (fields, more) = chain(&rest[1 + length..]);
            (
                Token::Variable(rest[1..=length].to_owned(), fields),
                1 + length + more,
            )
        }
        c if c.is_ascii_digit() || matches!(c, '+' | '-' | '.') => number(rest)?,
        c if c.is_alphabetic() || c == '_' => {
            let length = word_len(rest);
            (Token::Word(rest[..length].to_owned()), length)
        }
        other => return Err(format!("unexpected `{other}` in a template's action")),
    })
}

fn word_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len())
}

/// `.A.B…` at the start of `text`.
fn chain(text: &str) -> (Vec<String>, usize) {
    let (mut fields, mut at) = (Vec::new(), 0);
    while text[at..].starts_with('.') {
        let length = word_len(&text[at + 1..]);
        if length == 0 {
            break;
        }
        fields.push(text[at + 1..at + 1 + length].to_owned());
        at += 1 + length;
    }
    (fields, at)
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let length = text
        .char_indices()
        .find(|(i, c)| {
            !(c.is_ascii_alphanumeric()
                || matches!(c, '.' | '_')
                || (*i == 0 && matches!(c, '+' | '-')))
        })
        .map_or(text.len(), |(i, _)| i);
    let word = text[..length].replace('_', "");
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(&word)),
    };
    let whole = match digits.get(..2) {
        Some("0x" | "0X") => i128::from_str_radix(&digits[2..], 16).ok(),
        _ => digits
            .parse::<i128>()
            .ok()
            .filter(|_| digits.bytes().all(|b| b.is_ascii_digit())),
    };
    if let Some(whole) = whole {
        return Ok((Token::Int(sign * whole), length));
    }
    word.parse::<f64>()
        .map(|value| (Token::Float(value), length))
        .map_err(|_| format!("`{}` is not a number", &text[..length]))
}

fn quoted(text: &str) -> Result<(Token, usize), String> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::Str(out), at + 1)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some('x') => {
                    let hex: String = chars.by_ref().take(2).map(|(_, c)| c).collect();
                    out.push(
                        u8::from_str_radix(&hex, 16)
                            .map(char::from)
                            .map_err(|_| format!("`\\x{hex}` is not an escape"))?,
                    );
                }
                Some(c @ ('"' | '\\' | '\'')) => out.push(c),
                other => return Err(format!("`\\{}` is not an escape", other.unwrap_or(' '))),
            },
            '\n' => break,
            other => out.push(other),
        }
    }
    Err("a string is not closed".into())
}
