//! What every server of berth's needs: the files that its operator writes, and TLS for those who come.

pub mod error;
pub mod files;
pub mod tls;

pub use error::Error;
