#!/usr/bin/env bash
# Explores every order of the steps of the latch, record, line and reclamation models under the model checker loom.
# Usage: scripts/loom.sh [FILTER]      LOOM_MAX_PREEMPTIONS (3) bounds the search, LOOM_SECONDS (300) the time for it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export RUSTFLAGS="--cfg loom"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/loom"
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}"

cargo test -p engines --lib --locked --no-run
timeout "${LOOM_SECONDS:-300}" cargo test -p engines --lib --locked "${1:-memory::tests}"
