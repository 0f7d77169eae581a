#!/usr/bin/env bash
# The long form of the tests of crashes: every change of many traces, every bit of every byte, thousands of kills. Takes hours.
# Usage: scripts/crash.sh [SEEDS] [KILLS]     traces for each engine and class (default 20), kills of each engine (default 1000)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seeds="${1:-20}"
kills="${2:-1000}"
case "$seeds$kills" in
    *[!0-9]*) echo "usage: scripts/crash.sh [SEEDS] [KILLS]" >&2; exit 2 ;;
esac

step() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

# Its own time limits are for the short form.
export CRASH_LIMIT_SECONDS=86400

step "cuts of the power, damage and failing calls: $seeds traces, every change, every bit"
CRASH_SEEDS="$seeds" CRASH_WRITES_ONE_IN=1 CRASH_RECOVERIES_ONE_IN=10 CRASH_BITS=8 \
    cargo test --release -p engines --test crash --locked -- --nocapture

step "$kills kills of each engine"
KILLS="$kills" cargo test --release -p engines --test kills --locked -- --nocapture

step "done"
