//! PAX records: `LEN key=value\n`, LEN counting the whole record.
//!
//! A record that is malformed, and a key that comes twice, make the archive an error: readers differ in
//! which one wins. Unknown keys have no meaning to anybody else's files and are passed over, as POSIX asks.

use super::entry::{Time, Xattrs};

/// What the records of one `x` header say about the entry that follows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub mtime: Option<Time>,
    pub xattrs: Xattrs,
}

/// Prefix of the keys that carry extended attributes. bsdtar writes `LIBARCHIVE.xattr.` besides, with
/// the same content; like Go, we read only this one.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// Reads the records of an `x` header.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn parse(bytes: &[u8]) -> Result<Records, String> {
    let mut records = Records::default();
    let mut seen: Vec<&[u8]> = Vec::new();
    for record in split(bytes) {
        let (key, value) = record?;
        seen.push(key);
        apply(&mut records, key, value)
            .map_err(|why| format!("PAX record {}: {why}", crate::error::shown(key)))?;
    }
    seen.sort_unstable();
    if let Some(pair) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!(
            "PAX key {} comes twice",
            crate::error::shown(pair[0])
        ));
    }
    Ok(records)
}

/// Checks the records of a global (`g`) header. Only those without effect on the tree are let through
/// (git writes `comment`): Go, and with it Docker, ignores global records where POSIX applies them.
///
/// # Errors
/// What is wrong, in words.
pub(super) fn check_global(bytes: &[u8]) -> Result<(), String> {
    let records = parse(bytes)?;
    if records == Records::default() {
        return Ok(());
    }
    Err("a global PAX header changes entries, which readers do differently".to_owned())
}

/// Cuts the bytes into key and value.
fn split(bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), String>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        match one(rest) {
            Some((key, value, after)) => {
                rest = after;
                Some(Ok((key, value)))
            }
            None => {
                rest = &[];
                Some(Err("malformed PAX record".to_owned()))
            }
        }
    })
}

fn one(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().take(12).position(|byte| *byte == b' ')?;
    let length = usize::try_from(decimal(&bytes[..space])?).ok()?;
    if length <= space + 1 || length > bytes.len() {
        return None;
    }
    let (record, after) = bytes.split_at(length);
    let body = record[space + 1..].strip_suffix(b"\n")?;
    let equals = body.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (&body[..equals], &body[equals + 1..]);
    (!key.is_empty() && !key.contains(&0)).then_some((key, value, after))
}

fn apply(records: &mut Records, key: &[u8], value: &[u8]) -> Result<(), &'static str> {
    match key {
        b"path" => records.path = Some(name(value)?),
        b"linkpath" => records.link = Some(name(value)?),
        b"size" => records.size = Some(decimal(value).ok_or("no number")?),
        b"uid" => records.uid = Some(id(value)?),
        b"gid" => records.gid = Some(id(value)?),
        b"mtime" => records.mtime = Some(time(value).ok_or("no time")?),
        b"hdrcharset" if value != b"BINARY" && value != b"ISO-IR 10646 2000 UTF-8" => {
            return Err("unknown character set");
        }
        key if key.starts_with(b"GNU.sparse.") => return Err("sparse files are not supported"),
        key if key.starts_with(XATTR) => {
            let attribute = &key[XATTR.len()..];
            if attribute.is_empty() {
                return Err("no attribute name");
            }
            if records.xattrs.len() == crate::limits::XATTRS {
                return Err("too many extended attributes");
            }
            if value.len() > crate::limits::XATTR_BYTES {
                return Err("the value is too long");
            }
            records.xattrs.push((attribute.to_vec(), value.to_vec()));
        }
        _ => {}
    }
    Ok(())
}

fn name(value: &[u8]) -> Result<Vec<u8>, &'static str> {
    if value.is_empty() {
        return Err("empty");
    }
    if value.contains(&0) {
        return Err("holds a NUL");
    }
    Ok(value.to_vec())
}

fn id(value: &[u8]) -> Result<u32, &'static str> {
    decimal(value)
        .and_then(|id| u32::try_from(id).ok())
        .ok_or("no user or group id")
}

/// Plain decimal digits that fit 63 bits.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().try_fold(0u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    (value <= i64::MAX as u64).then_some(value)
}

/// `[-]SECONDS[.FRACTION]`.
fn time(value: &[u8]) -> Option<Time> {
    let (negative, rest) = match value.strip_prefix(b"-") {
        Some(rest) => (true, rest),
        None => (false, value),
    };
    let dot = rest
        .iter()
        .position(|byte| *byte == b'.')
        .unwrap_or(rest.len());
    let secs = i64::try_from(decimal(&rest[..dot])?).ok()?;
    let fraction = rest.get(dot + 1..).unwrap_or_default();
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + u32::from(fraction.get(place).map_or(0, |digit| digit - b'0'));
    }
    Some(match (negative, nanos) {
        (false, _) => Time { secs, nanos },
        (true, 0) => Time { secs: -secs, nanos },
        (true, _) => Time {
            secs: -secs - 1,
            nanos: 1_000_000_000 - nanos,
        },
    })
}

/// Appends one record.
pub(super) fn push(out: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    // The length counts its own digits: grow it until it holds.
    let body = key.len() + value.len() + 3;
    let mut length = body + 1;
    while length != body + length.to_string().len() {
        length = body + length.to_string().len();
    }
    out.extend_from_slice(length.to_string().as_bytes());
    out.push(b' ');
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
}

/// A time in PAX form.
pub(super) fn format_time(time: Time) -> String {
    let (sign, secs, nanos) = match time {
        Time { secs, nanos: 0 } if secs < 0 => ("-", secs.unsigned_abs(), 0),
        Time { secs, nanos } if secs < 0 => ("-", (secs + 1).unsigned_abs(), 1_000_000_000 - nanos),
        Time { secs, nanos } => ("", secs.unsigned_abs(), nanos),
    };
    if nanos == 0 {
        return format!("{sign}{secs}");
    }
    let fraction = format!("{nanos:09}");
    format!("{sign}{secs}.{}", fraction.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_lengths_count_themselves() {
        for value_length in 0..1100 {
            let mut out = Vec::new();
            push(&mut out, b"comment", &vec![b'x'; value_length]);
            let space = out.iter().position(|byte| *byte == b' ').unwrap();
            let stated: usize = std::str::from_utf8(&out[..space]).unwrap().parse().unwrap();
            assert_eq!(stated, out.len());
            assert_eq!(parse(&out), Ok(Records::default()));
        }
    }

    #[test]
    fn times_survive() {
        for time_value in [
            Time { secs: 0, nanos: 0 },
            Time {
                secs: 1,
                nanos: 500_000_000,
            },
            Time {
                secs: -1,
                nanos: 250_000_000,
            },
            Time { secs: -2, nanos: 0 },
            Time {
                secs: 253_402_300_799,
                nanos: 1,
            },
        ] {
            assert_eq!(time(format_time(time_value).as_bytes()), Some(time_value));
        }
        assert_eq!(
            time(b"-0.75"),
            Some(Time {
                secs: -1,
                nanos: 250_000_000
            })
        );
    }

    #[test]
    fn malformed_records_are_refused() {
        for bytes in [
            &b"5 a=b\n"[..],               // too short by one
            b"7 a=b\n",                    // too long
            b"6 a=bX",                     // no newline
            b"6 abc\n",                    // no equals sign
            b"06 a=b\n",                   // fine length, but one more byte than stated
            b"-6 a=b\n",                   // sign
            b"99999999999999999999 a=b\n", // overflow
            b"5 =b\n",                     // no key
            b"12 path=a\0b\n",             // NUL
            b"8 path=\n",                  // empty
            b"9 size=a\n",                 // no number
            b"10 size=-1\n",               // negative
            b"11 mtime=N\n",               // length wrong and no number
            b"13 mtime=NaN\n",             // NaN
            b"18 uid=4294967296\n",        // 2^32
            b"7 a=bb\n\0\0",               // trailing bytes
            b"9 uid=1\n9 uid=2\n",         // wrong lengths
            b"8 uid=1\n8 uid=2\n",         // twice
            b"22 GNU.sparse.major=1\n",    // sparse
            b"19 hdrcharset=UTF7\n",       // unknown character set
            b"18 SCHILY.xattr.=\n",        // no attribute name
        ] {
            assert!(
                parse(bytes).is_err(),
                "{:?}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn global_records_must_not_change_entries() {
        assert!(
            check_global(b"14 comment=abc\n").is_err(),
            "length is off by one"
        );
        assert!(check_global(b"15 comment=abc\n").is_ok());
        assert!(check_global(b"10 size=12\n").is_err());
        assert!(check_global(b"9 path=a\n").is_err());
    }
}
