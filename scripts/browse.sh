#!/usr/bin/env bash
# Opens a report in a real browser that can reach nothing, and fails if the page needs anything, says anything on its console
# (a blocked style, script or request is said there) or does not show one of the words.
# Usage: scripts/browse.sh REPORT.html WORD…
set -euo pipefail

if (($# < 2)); then
    echo "usage: scripts/browse.sh REPORT.html WORD…" >&2
    exit 2
fi
report=$(realpath "$1")
shift
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "browse: no chromium here; install the package chromium" >&2
    exit 2
}
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT

timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
    --disable-component-update --disable-sync --disable-dev-shm-usage --host-resolver-rules='MAP * ~NOTFOUND' \
    --user-data-dir="$profile" --enable-logging=stderr --dump-dom "file://$report" \
    >"$profile/page.html" 2>"$profile/log"

fail() { echo "browse: $*" >&2; exit 1; }
if grep -E 'CONSOLE' "$profile/log"; then fail "the page says something on its console"; fi
charts=$(grep -o '<svg' "$profile/page.html" | wc -l)
((charts > 0)) || fail "the page shows no chart"
for word in "$@"; do
    grep -qF -- "$word" "$profile/page.html" || fail "the page does not show $word"
done
echo "browse: $charts charts, nothing on the console"
