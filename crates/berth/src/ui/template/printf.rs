//! Go's `print`, `println` and the basics of `printf`: `%v %s %q %d %x %X %o %b %c %t %f %e %g %T %%`
//! with `-`, `0`, `+`, width and precision.

use super::value::Value;

/// Spaces stand between operands when neither is text.
pub fn print(args: &[Value]) -> String {
    let mut out = String::new();
    for (index, value) in args.iter().enumerate() {
        let text = |value: &Value| matches!(value, Value::Str(_));
        if index > 0 && !text(value) && !text(&args[index - 1]) {
            out.push(' ');
        }
        out.push_str(&value.to_string());
    }
    out
}

/// Spaces between all operands, a newline at the end.
pub fn println(args: &[Value]) -> String {
    args.iter()
        .map(Value::to_string)
        .collect::<Vec<_>>()
        .join(" ")
        + "\n"
}

#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// A width beyond this is cut to it.
const WIDTH_MAX: usize = 1000;

/// Formats; what does not fit is printed as Go does: `%!d(string=x)`.
pub fn printf(format: &str, args: &[Value]) -> String {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let mut next = 0;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let spec = spec(&mut chars);
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => {
                match args.get(next) {
                    Some(value) => out.push_str(&one(verb, &spec, value)),
                    None => out.push_str(&format!("%!{verb}(MISSING)")),
                }
                next += 1;
            }
        }
    }
    if next < args.len() {
        let extra: Vec<String> = args[next..]
            .iter()
            .map(|value| format!("{}={value}", value.kind()))
            .collect();
        out.push_str(&format!("%!(EXTRA {})", extra.join(", ")));
    }
    out
}

fn spec(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Spec {
    let mut spec = Spec::default();
    while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '0' | '+' | '#' | ' ')) {
        match flag {
            '-' => spec.left = true,
            '0' => spec.zero = true,
            '+' => spec.plus = true,
            '#' => spec.sharp = true,
            _ => {}
        }
    }
    spec.width = number(chars);
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(number(chars).unwrap_or(0));
    }
    spec
}

fn number(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<usize> {
    let mut value = None;
    while let Some(digit) = chars.next_if(char::is_ascii_digit) {
        let digit = digit as usize - '0' as usize;
        value = Some((value.unwrap_or(0) * 10 + digit).min(WIDTH_MAX));
    }
    value
}

fn one(verb: char, spec: &Spec, value: &Value) -> String {
    let sign = |n: i128| if spec.plus && n >= 0 { "+" } else { "" };
    let text = match (verb, value) {
        ('v', Value::Float(f)) | ('g', Value::Float(f)) => f.to_string(),
        ('v' | 's', Value::Str(text)) => truncate(text, spec.precision),
        ('v', Value::Int(n)) | ('d', Value::Int(n)) => format!("{}{n}", sign(*n)),
        ('v', other) => other.to_string(),
        ('s', Value::List(_) | Value::Map(_) | Value::Struct(_)) => value.to_string(),
        ('q', Value::Str(text)) => quote(&truncate(text, spec.precision)),
        ('q' | 'd', Value::List(items)) => {
            let items = items.iter().map(|item| one(verb, &Spec::default(), item));
            format!("[{}]", items.collect::<Vec<_>>().join(" "))
        }
        ('x', Value::Int(n)) => format!("{}{n:x}", if spec.sharp { "0x" } else { "" }),
        ('X', Value::Int(n)) => format!("{}{n:X}", if spec.sharp { "0X" } else { "" }),
        ('o', Value::Int(n)) => format!("{n:o}"),
        ('b', Value::Int(n)) => format!("{n:b}"),
        ('c', Value::Int(n)) => u32::try_from(*n)
            .ok()
            .and_then(char::from_u32)
            .unwrap_or('\u{fffd}')
            .to_string(),
        ('x', Value::Str(text)) => text.bytes().map(|b| format!("{b:02x}")).collect(),
        ('X', Value::Str(text)) => text.bytes().map(|b| format!("{b:02X}")).collect(),
        ('t', Value::Bool(value)) => value.to_string(),
        ('f' | 'F', Value::Float(f)) => format!("{f:.*}", spec.precision.unwrap_or(6)),
        ('e', Value::Float(f)) => exponent(*f, spec.precision.unwrap_or(6)),
        ('T', value) => value.kind().to_owned(),
        (verb, value) => format!("%!{verb}({}={value})", value.kind()),
    };
    pad(text, spec, matches!(value, Value::Int(_) | Value::Float(_)))
}

fn truncate(text: &str, precision: Option<usize>) -> String {
    precision.map_or_else(|| text.to_owned(), |n| text.chars().take(n).collect())
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if u32::from(c) < 0x20 || c == '\x7f' => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Rust writes `1e2`, Go `1e+02`.
fn exponent(value: f64, precision: usize) -> String {
    let text = format!("{value:.precision$e}");
    match text.split_once('e') {
        Some((mantissa, power)) => {
            let (sign, digits) = power
                .strip_prefix('-')
                .map_or(('+', power), |digits| ('-', digits));
            format!("{mantissa}e{sign}{digits:0>2}")
        }
        None => text,
    }
}

fn pad(text: String, spec: &Spec, number: bool) -> String {
    let width = spec.width.unwrap_or(0);
    let missing = width.saturating_sub(text.chars().count());
    if missing == 0 {
        return text;
    }
    if spec.left {
        return text + &" ".repeat(missing);
    }
    if spec.zero && number {
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
        return format!("{sign}{}{digits}", "0".repeat(missing));
    }
    " ".repeat(missing) + &text
}
