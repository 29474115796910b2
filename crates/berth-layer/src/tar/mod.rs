//! The tar format: a strict reader and a deterministic writer.
//!
//! ```text
//! archive = { header(512) data padding-to-512 } zero-block zero-block zeros…
//! header:  name 0+100  mode 100+8  uid 108+8  gid 116+8  size 124+12  mtime 136+12  checksum 148+8
//!          type 156    link 157+100  magic 257+8  uname 265+32  gname 297+32
//!          major 329+8  minor 337+8  prefix 345+155 (ustar only)
//! 'x'/'g' data = { "LEN key=value\n" }     'L'/'K' data = long name NUL
//! ```
//!
//! The reader accepts only what GNU tar, bsdtar, Python and Go read alike; anything on which they differ
//! makes the whole archive an error, because a scanner and an unpacker that see different trees in the
//! same bytes are an attack.
//!
//! Source: POSIX.1-2024 `pax`, "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual, "Basic Tar Format".

mod entry;
mod header;
mod pax;
mod reader;
mod writer;

pub use entry::{Entry, Kind, Time, Xattrs};
pub use reader::{Data, Reader};
pub use writer::Writer;
