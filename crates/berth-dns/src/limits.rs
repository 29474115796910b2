//! What one container may have of the resolver at the same time: so it cannot take what others need (security: N25).

use std::time::Duration;

/// Questions that are asked elsewhere. More are refused.
pub const IN_FLIGHT: usize = 100;
/// Connections. With one more the one that has been silent for the longest is closed.
pub const CONNECTIONS: usize = 16;
/// Bytes of answers that wait for a connection's client. With more, its questions wait.
pub const UNSENT: usize = 128 << 10;
/// A connection's silence.
pub const SILENCE: Duration = Duration::from_secs(10);
/// Names that are known not to be.
pub const NEGATIVE: usize = 128;
/// Questions that are taken from one container before the next one has its turn.
pub const TURN: usize = 32;
/// Name servers of one list; more are not asked. Source: resolv.conf(5), MAXNS.
pub const SERVERS: usize = 3;
/// For how long a name server is waited for before another one is asked, too, or the same again.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// How often one question is asked in all: so the client hears of a failure before it gives up (after 5 s, mostly).
pub const ATTEMPTS: usize = 3;
/// For how long a name server that did not answer is asked last.
pub const DISTRUST: Duration = Duration::from_secs(10);
