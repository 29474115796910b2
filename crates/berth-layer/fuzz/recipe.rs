//! For the targets that build what they test: the fuzzer's bytes, taken one after the other as choices.

/// What is left of the bytes; after the end all choices are 0.
pub struct Recipe<'a>(pub &'a [u8]);

#[allow(dead_code, reason = "not every target takes all of it")]
impl<'a> Recipe<'a> {
    /// Whether there is something left.
    pub fn goes_on(&self) -> bool {
        !self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number below `end`, which is at most 256.
    pub fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    /// Fewer than `end` bytes.
    pub fn bytes(&mut self, end: usize) -> &'a [u8] {
        let length = self.below(end).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}

/// A reader that gives its bytes in pieces.
#[allow(dead_code, reason = "not every target takes all of it")]
pub struct Pieces<'a> {
    /// What is left.
    pub bytes: &'a [u8],
    /// Bytes of a piece, at least 1.
    pub size: usize,
}

impl std::io::Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let length = self.size.min(buffer.len()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(length);
        buffer[..length].copy_from_slice(now);
        self.bytes = later;
        Ok(length)
    }
}
