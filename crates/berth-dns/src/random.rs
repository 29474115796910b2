//! Numbers that nobody guesses, some at a time.

/// Drawn from the kernel.
#[derive(Debug)]
pub struct Random {
    bytes: [u8; 128],
    used: usize,
}

impl Random {
    /// None drawn yet.
    pub fn new() -> Random {
        Random {
            bytes: [0; 128],
            used: 128,
        }
    }

    /// The next one. `None`: the kernel has none, which it has from its first second on.
    pub fn next(&mut self) -> Option<u16> {
        if self.used + 2 > self.bytes.len() {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let two = self.bytes.get(self.used..)?.first_chunk()?;
        self.used += 2;
        Some(u16::from_ne_bytes(*two))
    }
}
