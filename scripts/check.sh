#!/usr/bin/env bash
# Everything a change must pass, in the order in which it fails fastest. CI runs this file; so do people.
# Usage: scripts/check.sh [--quick]     --quick leaves out the documentation and the smoke run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

quick=false
for argument in "$@"; do
    case "$argument" in
        --quick) quick=true ;;
        *) echo "usage: scripts/check.sh [--quick]" >&2; exit 2 ;;
    esac
done

step() { printf '\n== %s (%ss)\n' "$*" "$SECONDS"; }

step "format"
cargo fmt --all --check

step "clippy, warnings are errors"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "clippy with the engines of others"
cargo clippy -p engines --features peers-memory,peers --all-targets --locked -- -D warnings

if command -v cargo-deny >/dev/null 2>&1; then
    step "licences, bans, sources"
    cargo deny --log-level error check bans licenses sources
else
    echo "cargo-deny is not installed: licences, bans and sources are not checked here"
fi

step "tests, as the README has it"
cargo test --workspace --locked

step "conformance of the engines of others"
cargo test -p engines --features peers-memory --test conformance --locked

# The groups that take seconds; all of them take ten minutes with the stores that keep files (engines/docs/peers.md).
step "conformance of the engines of others that keep files"
cargo test -p engines --features peers --test conformance --locked -- \
    batches limits loading point_operations reentrancy refusals

step "durability of the engines of others that keep files"
cargo test -p engines --features peers --test peers_durability --locked

if ! $quick; then
    step "models of the protocols under loom"
    scripts/loom.sh

    step "documentation, warnings are errors"
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

    step "smoke run of the quick workload, cut short"
    scripts/smoke.sh
fi

step "done"
