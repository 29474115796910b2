//! One member of an archive, as plain data.

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with data.
    File,
    /// Another name of an earlier file; [`Entry::link`] is its path from the archive's root.
    Hardlink,
    /// A symbolic link; [`Entry::link`] is its text.
    Symlink,
    /// A directory.
    Dir,
    /// A character device.
    Char {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A block device.
    Block {
        /// Major number.
        major: u32,
        /// Minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
}

/// A point in time; `nanos` counts forward from `secs` also before 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
pub struct Time {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub secs: i64,
    /// 0 … 999 999 999.
    pub nanos: u32,
}

/// Extended attributes: names and values.
pub type Xattrs = Vec<(Vec<u8>, Vec<u8>)>;

/// One member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name as written, never empty, without NUL. May be absolute or hold `..`: see [`crate::path`].
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Target of a link, else empty.
    pub link: Vec<u8>,
    /// Bytes of data; 0 for all but files.
    pub size: u64,
    /// Permission bits with setuid, setgid and sticky: 0 … 0o7777.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Time of last modification.
    pub mtime: Time,
    /// Extended attributes, in the order of the archive.
    pub xattrs: Xattrs,
}

impl Entry {
    /// An entry of root's with the usual mode and no data.
    pub fn new(path: impl Into<Vec<u8>>, kind: Kind) -> Entry {
        let mode = match kind {
            Kind::Dir => 0o755,
            Kind::Symlink => 0o777,
            _ => 0o644,
        };
        Entry {
            path: path.into(),
            kind,
            link: Vec::new(),
            size: 0,
            mode,
            uid: 0,
            gid: 0,
            mtime: Time::default(),
            xattrs: Vec::new(),
        }
    }
}
