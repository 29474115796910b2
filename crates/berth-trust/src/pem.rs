//! A PEM file of one block and nothing else. Source: RFC 7468 (without its laxer forms).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::Error;
use crate::limits::MAX_KEY_BYTES;

/// The content of the block, whose label has to be one of `labels`.
pub(crate) fn decode(
    what: &'static str,
    file: &[u8],
    labels: &[&str],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let bad = |reason| Error::Pem { what, reason };
    if file.len() as u64 > MAX_KEY_BYTES {
        return Err(bad("the file is too large"));
    }
    let text = std::str::from_utf8(file).map_err(|_| bad("it is not text"))?;
    let rest = text.trim().strip_prefix("-----BEGIN ");
    let rest = rest.ok_or_else(|| bad("it does not begin with `-----BEGIN`"))?;
    let (label, rest) = rest
        .split_once("-----")
        .ok_or_else(|| bad("its first line does not end with `-----`"))?;
    if !labels.contains(&label) {
        return Err(Error::PemLabel {
            what,
            label: label.chars().filter(|c| !c.is_control()).take(64).collect(),
        });
    }
    let body = rest
        .strip_suffix(&format!("-----END {label}-----"))
        .ok_or_else(|| bad("it does not end with the `-----END` of its first line"))?;
    let body: Zeroizing<Vec<u8>> =
        Zeroizing::new(body.bytes().filter(|b| !b.is_ascii_whitespace()).collect());
    let content = STANDARD.decode(&*body);
    content
        .map(Zeroizing::new)
        .map_err(|_| bad("what is between its lines is not base64"))
}

/// A file of one block.
pub(crate) fn encode(label: &str, content: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    // 48 bytes make a line of 64 characters.
    for line in content.chunks(48) {
        text.push_str(&STANDARD.encode(line));
        text.push('\n');
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_block_and_nothing_else() {
        let text = encode("X Y", &[7; 100]);
        assert_eq!(
            *decode("x", text.as_bytes(), &["Z", "X Y"]).unwrap(),
            [7; 100]
        );
        let windows = text.replace('\n', "\r\n");
        assert!(decode("x", windows.as_bytes(), &["X Y"]).is_ok());
        for bad in [
            String::new(),
            "-----BEGIN X Y".into(),
            "-----BEGIN X Y-----".into(),
            format!("{text}{text}"),
            format!("x{text}"),
            text.replace("END X Y", "END X"),
            text.replace("Bw", "B"),
            text.replace("Bw", "B-"),
            text.replacen('\n', "\nProc-Type: 4\n\n", 1),
        ] {
            assert!(decode("x", bad.as_bytes(), &["X Y"]).is_err(), "{bad}");
        }
        assert!(matches!(
            decode("x", text.as_bytes(), &["Z"]),
            Err(Error::PemLabel { .. })
        ));
        let long = vec![b'x'; MAX_KEY_BYTES as usize + 1];
        assert!(decode("x", &long, &["X Y"]).is_err());
    }
}
