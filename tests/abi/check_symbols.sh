#!/usr/bin/env bash
# The symbols that a shared library exports must be those in symbols.txt, and its SONAME libtelelink.so.0.
#   check_symbols.sh libtelelink.so.0            compare
#   check_symbols.sh libtelelink.so.0 --update   write symbols.txt anew
# Taking a line away breaks programs: raise the ABI number in build.rs and src/capi/version.rs then.
set -euo pipefail
library="$1"
list="$(dirname "$0")/symbols.txt"
exported="$(nm --dynamic --defined-only --format=posix "$library" | cut -d' ' -f1 | LC_ALL=C sort)"
if [ "${2:-}" = --update ]; then
  printf '%s\n' "$exported" >"$list"
  exit 0
fi
diff -u <(LC_ALL=C sort "$list") - <<<"$exported" || { echo "the exported symbols of $library are not those of $list" >&2 && exit 1; }
soname="$(objdump -p "$library" | sed -n 's/^ *SONAME *//p')"
[ "$soname" = libtelelink.so.0 ] || { echo "the SONAME is '$soname', not libtelelink.so.0" >&2 && exit 1; }
