//! The `plumbline` binary.
fn main() {}
