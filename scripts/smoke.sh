#!/usr/bin/env bash
# The README's main command with few records and short phases, and a look at what it leaves behind: a result file, CSV, PNG
# files and a report that shows every engine and asks for nothing from outside.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

cargo build --release --locked
harness=target/release/harness
"$harness" run workloads/quick.yaml --records 20000 --duration 200ms --warmup 50ms --trials 2 --out "$out" | tee "$out/stdout.txt"

fail() { echo "smoke: $*" >&2; exit 1; }
[[ $(tail -n 1 "$out/stdout.txt") == "report: $out/report.html" ]] || fail "the last line is not the path of the report"
for file in quick.json quick.summary.csv quick.series.csv report.html; do
    [[ -s $out/$file ]] || fail "$file is missing or empty"
done
for engine in array rbtree hash btree lsm-memtable; do
    grep -q "\b$engine\b" "$out/report.html" || fail "the report does not show $engine"
done
if grep -Eio '(src|href|action|srcset|poster)="[^"#d][^"]*"|url\([^)#d][^)]*\)|@import' "$out/report.html"; then
    fail "the report asks for something from outside"
fi
if command -v chromium chromium-browser google-chrome >/dev/null; then
    scripts/browse.sh "$out/report.html" array rbtree hash btree lsm-memtable
else
    echo "smoke: no chromium here, the report was not opened in a browser"
fi
pictures=("$out"/*.png)
((${#pictures[@]} >= 4)) || fail "fewer than 4 PNG files"
"$harness" report "$out/quick.json" --out "$out/again" >/dev/null
cmp "$out/report.html" "$out/again/report.html" || fail "the report made again from the result file differs"
echo "smoke: ${#pictures[@]} charts, report of $(stat -c %s "$out/report.html") bytes"
