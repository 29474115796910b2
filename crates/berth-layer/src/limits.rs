//! All limits of unpacking in one place.

use serde::{Deserialize, Serialize};

/// What one layer may cost at most. Limits are checked on the uncompressed stream before anything is written.
///
/// Source: OCI has no numbers; these follow row T15 of the threat catalogue (see SECURITY.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Uncompressed bytes, hardlink copies included.
    pub total_bytes: u64,
    /// Archive entries, extension headers included; created whiteouts count too.
    pub entries: u64,
    /// Uncompressed to compressed bytes, once more than `ratio_after_bytes` came out.
    pub ratio: u64,
    /// See `ratio`.
    pub ratio_after_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            total_bytes: 64 << 30,
            entries: 1_000_000,
            ratio: 200,
            ratio_after_bytes: 64 << 20,
        }
    }
}

/// Base-2 logarithm of the largest zstd window: 128 MiB of memory.
pub const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// Compressed bytes that may go in without a byte coming out (empty gzip members, skippable zstd frames).
pub const BARREN_INPUT_BYTES: u64 = 256 << 20;

/// Bytes of one extension header (PAX records, a GNU long name), as Go's reader has it.
pub const EXTENSION_BYTES: u64 = 1 << 20;

/// Bytes of an entry's path; what the kernel takes in one call (`PATH_MAX` less the NUL).
pub const PATH_BYTES: usize = 4095;

/// Bytes of one path component. Source: `NAME_MAX` in limits.h.
pub const NAME_BYTES: usize = 255;

/// Bytes of one extended attribute's value. Source: `XATTR_SIZE_MAX` in limits.h.
pub const XATTR_BYTES: usize = 64 << 10;

/// Extended attributes of one entry.
pub const XATTRS: usize = 256;

/// Bytes of paths that the applier remembers until the end of a layer (directories, whiteouts).
pub const REMEMBERED_BYTES: usize = 256 << 20;

/// Files of at least so many bytes are reported by name: a sixth of a Debian system's files, nine tenths of its bytes.
pub const LARGE_BYTES: u64 = 16 << 10;

/// Bytes of the names of large files in a report, which is one line of JSON.
pub const LARGE_PATHS_BYTES: usize = 256 << 10;
