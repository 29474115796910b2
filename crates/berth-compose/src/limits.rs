//! Limits: a compose file may come from anywhere.

/// Bytes of one file.
pub const FILE_BYTES: usize = 4 << 20;
/// Files of one project, with those that are included, extended or hold variables.
pub const FILES: usize = 1000;
/// Values of one project's files once aliases are followed: what an alias bomb runs against.
pub const NODES: usize = 1 << 20;
/// How deep maps and lists may stand in each other.
pub const DEPTH: usize = 64;
/// How deep `${A:-${B:-…}}` may go.
pub const NESTED_VARIABLES: usize = 32;
/// Bytes that a text may become by its variables.
pub const TEXT_BYTES: usize = 1 << 20;
/// How many services may extend each other in a row, and files include each other.
pub const CHAIN: usize = 50;
/// Ports that one short form may stand for.
pub const PORT_RANGE: usize = 4096;
/// Problems told at once.
pub const PROBLEMS: usize = 20;
