//! What a registry may cost, and how often it is asked again.

use std::time::Duration;

/// Bytes of a manifest or index.
pub const MAX_MANIFEST_BYTES: u64 = berth_oci::image::MAX_MANIFEST_BYTES;
/// Bytes of an image's configuration.
pub const MAX_CONFIG_BYTES: u64 = berth_oci::image::MAX_CONFIG_BYTES;
/// Bytes of the answer of a token server.
pub const MAX_TOKEN_BYTES: u64 = 1 << 20;
/// Bytes of an error's body that are read for its message.
pub const MAX_ERROR_BYTES: u64 = 64 << 10;
/// Bytes of a file of logins.
pub const MAX_LOGINS_BYTES: u64 = 4 << 20;
/// Bytes of what a credential helper says.
pub const MAX_HELPER_BYTES: u64 = 1 << 20;
/// How long a credential helper may take: it may ask the user something.
pub const HELPER_DEADLINE: Duration = Duration::from_secs(120);
/// Lines of a response's header.
pub const MAX_HEADERS: usize = 100;
/// Redirects that are followed for one request.
pub const MAX_REDIRECTS: usize = 5;
/// Bytes that must come within [`Patience::progress`] while a body is read.
pub const MIN_PROGRESS_BYTES: u64 = 16 << 10;
/// Bytes after which a download that was cut counts as going well again.
pub const GOOD_PROGRESS_BYTES: u64 = 1 << 20;
/// Bytes of ranges that a client holds before their turn, of all blobs together.
pub const RANGES_HELD_BYTES: usize = 16 << 20;

/// How often [`Patience::progress`] a registry may take for a blob that it has all bytes of.
pub const COMMIT_WAITS: u32 = 5;
/// Bytes of a blob that are uploaded in one piece, where it is uploaded in pieces.
pub const PIECE_BYTES: u64 = 16 << 20;
/// Pages of a list (tags, referrers) that are read.
pub const MAX_PAGES: usize = 1000;
/// Bytes of all pages together.
pub const MAX_LIST_BYTES: usize = 64 << 20;
/// For a registry to hear that an upload was given up.
pub const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait, and how often to ask again.
#[derive(Debug, Clone)]
pub struct Patience {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For an answer to begin, and for [`MIN_PROGRESS_BYTES`] more of its body.
    pub progress: Duration,
    /// How often a request is made at most, if only the network or a busy registry is in the way.
    pub attempts: u32,
    /// Wait before the second attempt; doubled each time.
    pub back_off: Duration,
    /// The longest wait, also when the registry asks for more (`Retry-After`).
    pub longest_wait: Duration,
}

/// When a blob is fetched in ranges, over several connections.
///
/// One connection is best as long as it fills the pipe, and that cannot be known before it is tried: on a fast
/// network a pull is over by then and has cost no request more. Where each connection has its share only (a
/// registry that limits each, a long way, a lossy one), most of the time is still to come.
#[derive(Debug, Clone)]
pub struct Ranges {
    /// For so long the one connection must have kept us waiting,
    pub after: Duration,
    /// and brought fewer bytes a second than this: what one is unpacking takes no more.
    pub enough: u64,
    /// As many bytes of the blob must be missing still.
    pub least: u64,
    /// Bytes of a range: longer ones would fill memory, shorter ones would wait for answers most of the time.
    pub bytes: u64,
    /// Ranges of a blob that are asked for besides what is being read.
    pub ahead: usize,
}

impl Default for Ranges {
    fn default() -> Self {
        Ranges {
            after: Duration::from_secs(1),
            enough: 64 << 20,
            least: 16 << 20,
            bytes: 4 << 20,
            ahead: 3,
        }
    }
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            connect: Duration::from_secs(15),
            progress: Duration::from_secs(60),
            attempts: 5,
            back_off: Duration::from_millis(250),
            longest_wait: Duration::from_secs(60),
        }
    }
}

impl Patience {
    /// How long to wait after attempt number `attempt` (from 1) failed.
    pub fn wait_after(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let doubled = self.back_off * 2u32.pow(attempt.saturating_sub(1).min(10));
        asked.unwrap_or(doubled).min(self.longest_wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_capped() {
        let patience = Patience::default();
        assert_eq!(patience.wait_after(1, None), Duration::from_millis(250));
        assert_eq!(patience.wait_after(3, None), Duration::from_secs(1));
        assert_eq!(patience.wait_after(99, None), Duration::from_secs(60));
        let asked = |s| patience.wait_after(1, Some(Duration::from_secs(s)));
        assert_eq!(asked(7), Duration::from_secs(7));
        assert_eq!(asked(86_400), Duration::from_secs(60));
    }
}
