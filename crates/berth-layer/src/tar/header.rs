//! The 512-byte header block: fields in, fields out.

/// Size of a block.
pub(super) const BLOCK: usize = 512;

/// One header block.
pub(super) struct Header(pub [u8; BLOCK]);

/// Which dialect the magic names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// No magic: before POSIX.
    V7,
    /// `ustar\0`.
    Ustar,
    /// `ustar  \0`.
    Gnu,
}

impl Header {
    /// All bytes zero: end of the archive.
    pub fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// The checksum field equals the sum of the block (with the field as spaces), taken as unsigned
    /// bytes or, as some historic writers do, as signed ones.
    pub fn checksum_matches(&self) -> bool {
        let Ok(stored) = number(&self.0[148..156]) else {
            return false;
        };
        let mut unsigned = 0i128;
        let mut signed = 0i128;
        for (index, byte) in self.0.iter().enumerate() {
            let byte = if (148..156).contains(&index) {
                b' '
            } else {
                *byte
            };
            unsigned += i128::from(byte);
            signed += i128::from(byte as i8);
        }
        stored == unsigned || stored == signed
    }

    /// The dialect, or nothing for a magic that is neither.
    pub fn dialect(&self) -> Option<Dialect> {
        match &self.0[257..265] {
            b"ustar\x0000" => Some(Dialect::Ustar),
            b"ustar  \0" => Some(Dialect::Gnu),
            // Some writers leave the version empty; GNU tar, bsdtar and Python take it for ustar.
            b"ustar\0\0\0" => Some(Dialect::Ustar),
            magic if magic.iter().all(|byte| *byte == 0) => Some(Dialect::V7),
            _ => None,
        }
    }

    /// The type flag.
    pub fn typeflag(&self) -> u8 {
        self.0[156]
    }

    /// Name, with the prefix of ustar.
    pub fn name(&self, dialect: Dialect) -> Vec<u8> {
        let name = text(&self.0[..100]);
        let prefix = if dialect == Dialect::Ustar {
            text(&self.0[345..500])
        } else {
            &[]
        };
        if prefix.is_empty() {
            return name.to_vec();
        }
        let mut full = Vec::with_capacity(prefix.len() + 1 + name.len());
        full.extend_from_slice(prefix);
        full.push(b'/');
        full.extend_from_slice(name);
        full
    }

    /// The star dialect keeps times in the end of the prefix; a prefix that runs into them would be read
    /// differently by readers that know star and those that do not.
    pub fn is_ambiguous_star(&self) -> bool {
        &self.0[508..512] == b"tar\0" && self.0[345 + 130] != 0
    }

    /// Link target.
    pub fn link(&self) -> &[u8] {
        text(&self.0[157..257])
    }

    /// Whether all numeric fields are well-formed, needed or not: Python's reader silently ends at one
    /// that is not.
    ///
    /// # Errors
    /// The first field that is not.
    pub fn check_fields(&self) -> Result<(), &'static str> {
        use Field::{Gid, Major, Minor, Mode, Mtime, Size, Uid};
        [Mode, Uid, Gid, Size, Mtime, Major, Minor]
            .into_iter()
            .try_for_each(|field| self.field(field).map(drop))
    }

    /// A numeric field by name.
    ///
    /// # Errors
    /// The field's name, if it is neither canonical octal nor base-256.
    pub fn field(&self, field: Field) -> Result<i128, &'static str> {
        let (range, name) = match field {
            Field::Mode => (100..108, "mode"),
            Field::Uid => (108..116, "uid"),
            Field::Gid => (116..124, "gid"),
            Field::Size => (124..136, "size"),
            Field::Mtime => (136..148, "mtime"),
            Field::Major => (329..337, "device major"),
            Field::Minor => (337..345, "device minor"),
        };
        number(&self.0[range]).map_err(|()| name)
    }
}

/// The numeric fields.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are those of the format")]
pub(super) enum Field {
    Mode,
    Uid,
    Gid,
    Size,
    Mtime,
    Major,
    Minor,
}

/// Text up to the first NUL.
fn text(field: &[u8]) -> &[u8] {
    let end = field
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(field.len());
    &field[..end]
}

/// A number: octal digits between optional leading spaces and a tail of NULs and spaces, or base-256
/// (0x80 positive, 0xff negative, big-endian). An empty field is 0.
fn number(field: &[u8]) -> Result<i128, ()> {
    match field[0] {
        0x80 | 0xff => {
            let mut value: i128 = if field[0] == 0xff { -1 } else { 0 };
            for byte in &field[1..] {
                value = (value << 8) | i128::from(*byte);
            }
            Ok(value)
        }
        0x81.. => Err(()),
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Result<i128, ()> {
    let start = field
        .iter()
        .position(|byte| *byte != b' ')
        .unwrap_or(field.len());
    let rest = &field[start..];
    let digits = rest
        .iter()
        .position(|byte| !(b'0'..=b'7').contains(byte))
        .unwrap_or(rest.len());
    if !rest[digits..]
        .iter()
        .all(|byte| *byte == 0 || *byte == b' ')
    {
        return Err(());
    }
    Ok(rest[..digits]
        .iter()
        .fold(0, |value, digit| value * 8 + i128::from(digit - b'0')))
}

/// Builds a header block field by field; `finish` sets the checksum.
pub(super) struct HeaderBuilder([u8; BLOCK]);

impl HeaderBuilder {
    /// An empty ustar header of this type.
    pub fn new(typeflag: u8) -> HeaderBuilder {
        let mut block = [0; BLOCK];
        block[156] = typeflag;
        block[257..265].copy_from_slice(b"ustar\x0000");
        HeaderBuilder(block)
    }

    /// Puts the path into name and prefix if it fits.
    pub fn path(&mut self, path: &[u8]) -> bool {
        if path.len() <= 100 {
            self.0[..path.len()].copy_from_slice(path);
            return true;
        }
        // The name gets the longest tail, so that the cut does not depend on anything but the path.
        let from = path.len().saturating_sub(101);
        let cut = path[from..path.len() - 1]
            .iter()
            .position(|byte| *byte == b'/')
            .map(|at| from + at);
        match cut {
            Some(cut) if cut > 0 && cut <= 155 => {
                self.0[345..345 + cut].copy_from_slice(&path[..cut]);
                let name = &path[cut + 1..];
                self.0[..name.len()].copy_from_slice(name);
                true
            }
            _ => false,
        }
    }

    /// Puts the link target into its field if it fits.
    pub fn link(&mut self, link: &[u8]) -> bool {
        if link.len() > 100 {
            return false;
        }
        self.0[157..157 + link.len()].copy_from_slice(link);
        true
    }

    /// Puts a number into its field as octal with a closing NUL if it fits; else the field says 0.
    pub fn number(&mut self, field: Field, value: i128) -> bool {
        let (at, width) = match field {
            Field::Mode => (100, 8),
            Field::Uid => (108, 8),
            Field::Gid => (116, 8),
            Field::Size => (124, 12),
            Field::Mtime => (136, 12),
            Field::Major => (329, 8),
            Field::Minor => (337, 8),
        };
        let fits = (0..1i128 << (3 * (width - 1))).contains(&value);
        let digits = format!(
            "{:0width$o}",
            if fits { value } else { 0 },
            width = width - 1
        );
        self.0[at..at + digits.len()].copy_from_slice(digits.as_bytes());
        fits
    }

    /// The block, with its checksum.
    pub fn finish(mut self) -> [u8; BLOCK] {
        self.0[148..156].copy_from_slice(b"        ");
        let sum: u32 = self.0.iter().map(|byte| u32::from(*byte)).sum();
        self.0[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (field, value) in [
            (&b"0000644\0"[..], Ok(0o644)),
            (b"   644 \0", Ok(0o644)),
            (b"00000644", Ok(0o644)),
            (b"\0\0\0\0\0\0\0\0", Ok(0)),
            (b"        ", Ok(0)),
            (b"0644\x00012", Err(())),
            (b"-000644\0", Err(())),
            (b"0000648\0", Err(())),
            (b"0x00064\0", Err(())),
            (b"\x80\0\0\0\0\0\x02\x00", Ok(512)),
            (b"\xff\xff\xff\xff\xff\xff\xff\xfe", Ok(-2)),
            (b"\x81\0\0\0\0\0\0\x01", Err(())),
            (b"\xc0\0\0\0\0\0\0\x01", Err(())),
        ] {
            assert_eq!(number(field), value, "{field:?}");
        }
    }

    #[test]
    fn long_paths_are_cut_at_a_slash() {
        let long = [vec![b'a'; 60], vec![b'/'], vec![b'b'; 60]].concat();
        let mut header = HeaderBuilder::new(b'0');
        assert!(header.path(&long));
        let header = Header(header.finish());
        assert_eq!(header.name(Dialect::Ustar), long);
        assert!(header.checksum_matches());
        assert!(!HeaderBuilder::new(b'0').path(&[b'a'; 101]));
        let dir = [vec![b'a'; 150], b"/".to_vec()].concat();
        assert!(
            !HeaderBuilder::new(b'5').path(&dir),
            "the trailing slash is no place to cut"
        );
    }

    #[test]
    fn numbers_that_do_not_fit_say_so() {
        let mut header = HeaderBuilder::new(b'0');
        assert!(header.number(Field::Uid, 0o7777777));
        assert!(!header.number(Field::Uid, 0o10000000));
        assert!(!header.number(Field::Mtime, -1));
    }
}
