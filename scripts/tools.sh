#!/usr/bin/env bash
# Everything that telelink needs beside cargo, go, node and python3: each piece is left alone when it is already there,
# so this is quick and works offline the second time. Without arguments all of them, else only those named.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- apt apt-demo apt-browser venv livekit-library livekit-server cbindgen browser
for tool in "$@"; do
  case "$tool" in
  apt) "$ROOT/scripts/apt.sh" ;;
  apt-demo) "$ROOT/scripts/apt.sh" demo ;;
  apt-browser) "$ROOT/scripts/apt.sh" browser ;;
  apt-cross) "$ROOT/scripts/apt.sh" cross ;;
  apt-package) "$ROOT/scripts/apt.sh" package ;;
  venv) "$ROOT/scripts/get-venv.sh" ;;
  venv-package) "$ROOT/scripts/get-venv.sh" package ;;
  livekit-library) "$ROOT/scripts/get-livekit-library.sh" ;;
  livekit-library-aarch64) "$ROOT/scripts/get-livekit-library.sh" aarch64 ;;
  livekit-server) "$ROOT/scripts/get-livekit-server.sh" ;;
  browser) "$ROOT/scripts/get-browser-modules.sh" ;;
  cbindgen | cargo-deny | cargo-fuzz | cargo-about | cargo-cyclonedx | mdbook) "$ROOT/scripts/get-cargo-tool.sh" "$tool" ;;
  *) die "unknown tool '$tool'; see scripts/tools.sh" ;;
  esac
done
