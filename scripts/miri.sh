#!/usr/bin/env bash
# Runs the units that are small enough under Miri, which reports undefined behaviour, data races and leaks.
# Usage: scripts/miri.sh [FILTER…]     needs a nightly toolchain with the components miri and rust-src.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Tests that take seconds there, not minutes. The rest runs under ThreadSanitizer: scripts/tsan.sh.
filters=(
    memory::latch::
    memory::record::
    memory::slab::
    memory::words::
)
if [ $# -gt 0 ]; then filters=("$@"); fi

# Blocks are found by their addresses, and crossbeam's epoch is right by Tree Borrows only.
export MIRIFLAGS="${MIRIFLAGS:--Zmiri-permissive-provenance -Zmiri-tree-borrows}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/miri"
cargo +nightly miri test -p engines --lib --locked -- "${filters[@]}"
