//! Micro-benchmarks of `lsm-memtable`.

fn main() {}
