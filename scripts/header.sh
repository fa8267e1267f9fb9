#!/usr/bin/env bash
# Regenerates the C headers from src/capi with the pinned cbindgen; --check compares and changes nothing.
#   telelink.h  from src/capi/mod.rs and the files it names
#   testing.h   from src/capi/testing/mod.rs likewise (src/capi/mod.rs tells cbindgen to leave that module out)
# Single files and not the crate, so that no constant of another layer can get into a header.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" cbindgen
out="$(mktemp)"
trap 'rm -f "$out"' EXIT

generate() {
  local header="$1" config="$2" source="$3"
  "$TOOLS/bin/cbindgen" --quiet --config "$config" --output "$out" "$source"
  if [ "$4" = --check ]; then
    diff -u "$header" "$out" || die "$header is not what src/capi says: run 'make header' and commit it"
  else
    cp "$out" "$header"
    say "wrote $header"
  fi
}

generate include/telelink/telelink.h cbindgen.toml src/capi/mod.rs "${1:-}"
generate include/telelink/testing.h cbindgen-testing.toml src/capi/testing/mod.rs "${1:-}"
