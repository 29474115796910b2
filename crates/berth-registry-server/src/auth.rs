//! Who asks, and what he may: users of a file with their passwords, tokens, rights by repository.

pub mod header;
pub mod htpasswd;
pub mod logins;
pub mod rights;
pub mod scope;
