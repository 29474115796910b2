//! Whether the out-of-memory killer struck, from a memory cgroup's own count.

/// Reads `oom_kill N` from `memory.oom_control` (v1) or `memory.events` (v2): the same line in both.
///
/// Source: Documentation/admin-guide/cgroup-v1/memory.rst 10, cgroup-v2.rst "memory.events".
pub fn struck(text: &[u8]) -> bool {
    text.split(|&byte| byte == b'\n').any(|line| {
        line.strip_prefix(b"oom_kill ").is_some_and(|count| {
            count.iter().all(u8::is_ascii_digit) && count.iter().any(|&digit| digit != b'0')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::struck;

    #[test]
    fn both_versions() {
        assert!(struck(b"oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"));
        assert!(!struck(b"oom_kill_disable 1\nunder_oom 1\noom_kill 0\n"));
        assert!(struck(
            b"low 0\nhigh 0\nmax 12\noom 2\noom_kill 10\noom_group_kill 0\n"
        ));
        assert!(!struck(
            b"low 0\nmax 12\noom 2\noom_kill 0\noom_group_kill 1\n"
        ));
        assert!(!struck(b""));
        assert!(!struck(b"oom_kill "));
        assert!(!struck(b"oom_kill x1"));
    }
}
