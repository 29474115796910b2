//! What a descriptor or a timer belongs to: its kind and a number that is never used again, in the 64 bits that the kernel
//! keeps with a descriptor.

/// Sorts of things that become ready or due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The engine's socket.
    Control,
    /// Somebody who speaks there.
    Client,
    /// Changes of files.
    Watch,
    /// The end of a container.
    Init,
    /// A container's questions.
    Udp,
    /// A container's connections.
    Listener,
    /// One of them.
    Stream,
    /// A question that is asked elsewhere.
    Flight,
    /// One of its askings.
    Attempt,
}

const ALL: [Kind; 9] = [
    Kind::Control,
    Kind::Client,
    Kind::Watch,
    Kind::Init,
    Kind::Udp,
    Kind::Listener,
    Kind::Stream,
    Kind::Flight,
    Kind::Attempt,
];
const SHIFT: u32 = 56;

/// Kind and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(u64);

impl Key {
    pub(super) fn of(kind: Kind, number: u64) -> Key {
        Key((kind as u64) << SHIFT | number)
    }

    pub(super) fn kind(self) -> Kind {
        ALL[(self.0 >> SHIFT) as usize % ALL.len()]
    }

    pub(super) fn number(self) -> u64 {
        self.0 & ((1 << SHIFT) - 1)
    }
}

impl From<Key> for u64 {
    fn from(key: Key) -> u64 {
        key.0
    }
}

impl From<u64> for Key {
    fn from(bits: u64) -> Key {
        Key(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for kind in ALL {
            let key = Key::from(u64::from(Key::of(kind, 7_000_000_000)));
            assert_eq!((key.kind(), key.number()), (kind, 7_000_000_000));
        }
    }
}
