//! Micro-benchmarks of `array`.

fn main() {}
