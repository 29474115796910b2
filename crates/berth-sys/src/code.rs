//! The pages of this program's own code.

use std::ptr::addr_of;

use rustix::mm::{Advice, madvise};

unsafe extern "C" {
    // Of the linker: the program's first byte, and the first one after its code.
    static __executable_start: u8;
    static etext: u8;
}

/// Gives back the pages of code and constants that have been used so far; those that are used again are mapped again, from
/// the page cache. For a process that will sleep: what its start has touched is most of what it ever will have.
///
/// Source: madvise(2), `MADV_DONTNEED` of a file's mapping.
pub fn forget_used() {
    let (begin, end) = (
        addr_of!(__executable_start) as usize,
        addr_of!(etext) as usize,
    );
    let page = rustix::param::page_size();
    let begin = begin & !(page - 1);
    // Down to a whole page: the next one may have data that was written to.
    let length = (end & !(page - 1)).saturating_sub(begin);
    // SAFETY: from the program's beginning to the end of its code there are mappings of its file only, none is writable,
    // and what is in them is the file's when it is read again. If anything else is in between the call fails, or drops
    // what nobody can have written.
    let _ = unsafe { madvise(begin as *mut _, length, Advice::LinuxDontNeed) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident() -> u64 {
        let text = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("RssFile:"))
            .unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    #[test]
    fn the_program_runs_on_with_less() {
        let before = resident();
        forget_used();
        let after = resident();
        assert!(after < before, "{before} KiB before, {after} after");
    }
}
