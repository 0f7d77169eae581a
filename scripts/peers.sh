#!/usr/bin/env bash
# Installs what the stores of others need to be built on a Debian machine, and says how to build them. Can be run again and again.
# Usage: scripts/peers.sh
set -euo pipefail

# A C and C++ compiler for LMDB, SQLite and RocksDB, which their crates build; libclang for the bindings of RocksDB; strace counts syncs in
# engines/tests/peers_durability.rs. Debian's own librocksdb is years behind what the crate binds to, so it is not used.
needed=(g++ libclang-dev strace)

missing=()
for package in "${needed[@]}"; do
    if ! dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed'; then
        missing+=("$package")
    fi
done

if ((${#missing[@]} > 0)); then
    as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        as_root=(sudo)
    fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" apt-get install -y --no-install-recommends "${missing[@]}"
fi

cat <<'TEXT'
Everything the stores of others need is installed. Then:

  cargo run --release --features peers -- engines                  redb, fjall, sled: nothing but Rust
  cargo run --release --features peers,lmdb,sqlite -- engines      and LMDB and SQLite: a minute or two of C
  cargo run --release --features all-peers -- engines              and RocksDB and those in memory: RocksDB is 340 files of C++,
                                                                   half an hour on one core, a few minutes on sixteen
  cargo test -p engines --features all-peers --test conformance
  cargo test -p engines --features all-peers --test peers_durability -- --nocapture
TEXT
