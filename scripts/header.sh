#!/usr/bin/env bash
# Regenerates include/telelink/telelink.h from src/capi with the pinned cbindgen; --check compares and changes nothing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

[ -f cbindgen.toml ] || die "cbindgen.toml is not in the tree yet"
"$ROOT/scripts/tools.sh" cbindgen
header=include/telelink/telelink.h
out="$(mktemp)"
trap 'rm -f "$out"' EXIT
"$TOOLS/bin/cbindgen" --quiet --config cbindgen.toml --crate telelink --lockfile Cargo.lock --output "$out" .
if [ "${1:-}" = --check ]; then
  diff -u "$header" "$out" || die "$header is not what src/capi says: run 'make header' and commit it"
else
  mkdir -p "$(dirname "$header")"
  cp "$out" "$header"
  say "wrote $header"
fi
