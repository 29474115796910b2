//! The tiny monitor.
fn main() {}
