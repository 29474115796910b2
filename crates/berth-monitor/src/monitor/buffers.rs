//! The monitor's only memory of size: one mapping, whose pages count only once touched and are given
//! back when the container falls silent.

use berth_monitor::packet::MAX_DATA;

use super::sys::{self, Errno};

/// Bytes of a stream's buffer: a line's beginning that waits for its end, and what is read next.
const STREAM: usize = 32 * 1024;
/// Bytes of log text written at once.
const LOG: usize = 16 * 1024;
const TOTAL: usize = 2 * STREAM + MAX_DATA + LOG;

/// The pieces of the mapping.
pub struct Buffers {
    pub stdout: &'static mut [u8],
    pub stderr: &'static mut [u8],
    pub stdin: &'static mut [u8],
    pub log: &'static mut [u8],
}

/// Maps the buffers. To be called once.
pub fn map() -> Result<Buffers, Errno> {
    let at = sys::map(TOTAL)?;
    // SAFETY: TOTAL fresh zeroed bytes that nobody else knows of and that stay mapped.
    let all = unsafe { core::slice::from_raw_parts_mut(at, TOTAL) };
    let (stdout, rest) = all.split_at_mut(STREAM);
    let (stderr, rest) = rest.split_at_mut(STREAM);
    let (stdin, log) = rest.split_at_mut(MAX_DATA);
    Ok(Buffers {
        stdout,
        stderr,
        stdin,
        log,
    })
}

/// Maps room for records that wait for a receiver. To be called once for each.
pub fn map_queue(bytes: u64) -> Result<&'static mut [u8], Errno> {
    let bytes = usize::try_from(bytes).map_err(|_| Errno::INVAL)?;
    let at = sys::map(bytes)?;
    // SAFETY: so many fresh zeroed bytes that nobody else knows of and that stay mapped.
    Ok(unsafe { core::slice::from_raw_parts_mut(at, bytes) })
}
