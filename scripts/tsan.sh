#!/usr/bin/env bash
# Runs the concurrent tests under ThreadSanitizer. It prints "test result: ok" over a race: only its exit status counts.
# Usage: scripts/tsan.sh [FILTER…]     needs a nightly toolchain with the component rust-src.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Mappings go through libc, where the sanitizer sees them: it would take memory that was given back and mapped anew for shared.
# Assembly, where it sees nothing, is left out.
export RUSTFLAGS="-Zsanitizer=thread --cfg=rustix_use_libc --cfg=tsan"
# The status of the first race found; the tests end there.
export TSAN_OPTIONS="halt_on_error=1 exitcode=66 ${TSAN_OPTIONS:-}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/tsan"
run() { cargo +nightly test -Zbuild-std --target "$(rustc -vV | sed -n 's/^host: //p')" -p engines --locked "$@"; }

if [ $# -gt 0 ]; then
    run --lib --test conformance -- "$@"
else
    run --lib -- memory::
    run --test conformance -- threads visibility histories reentrancy --skip wrong
fi
