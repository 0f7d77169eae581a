//! Micro-benchmarks of `hash`.

fn main() {}
