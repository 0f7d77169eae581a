//! Micro-benchmarks of `btree`.

fn main() {}
