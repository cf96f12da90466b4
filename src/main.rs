//! The `renzheng` program.

fn main() {}
