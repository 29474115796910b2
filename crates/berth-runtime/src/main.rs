//! The static, thread-free OCI runtime and shim.
fn main() {}
