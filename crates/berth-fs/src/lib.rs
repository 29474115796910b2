//! The disk, carefully: whole files or none, locks, removal that follows no link, and fail points.
//!
//! Every durable step of berth (write, fsync, rename, unlink) goes through here and passes a
//! [`failpoint`], so the crash tests can end the process at each of them.

pub mod atomic;
pub mod dirs;
pub mod error;
pub mod failpoint;
pub mod lock;
pub mod resolve;
pub mod trash;
pub mod tree;
pub mod usage;

pub use atomic::{Durability, atomic_write, atomic_write_at};
pub use dirs::{ensure_dir, fsync_dir, open_dir, remove_file, rename, rename_new};
pub use error::Error;
pub use lock::{Lock, LockMode};
pub use resolve::{create_dir_all_in_root, open_in_root_no_links, resolve_in_root};
pub use trash::Trash;
pub use tree::remove_tree_at;
pub use usage::disk_usage;
