#!/usr/bin/env bash
# Everything that telelink needs beside cargo, go, node and python3: each piece is left alone when it is already there,
# so this is quick and works offline the second time. Without arguments all of them, else only those named.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- apt venv livekit-library livekit-server cbindgen
for tool in "$@"; do
  case "$tool" in
  apt) "$ROOT/scripts/apt.sh" ;;
  venv) "$ROOT/scripts/get-venv.sh" ;;
  livekit-library) "$ROOT/scripts/get-livekit-library.sh" ;;
  livekit-server) "$ROOT/scripts/get-livekit-server.sh" ;;
  cbindgen | cargo-deny | cargo-fuzz | mdbook) "$ROOT/scripts/get-cargo-tool.sh" "$tool" ;;
  *) die "unknown tool '$tool'; see scripts/tools.sh" ;;
  esac
done
