//! Micro-benchmarks of `rbtree`.

fn main() {}
