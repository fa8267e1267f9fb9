#!/usr/bin/env bash
# Fetches LiveKit's official native library from its PyPI wheel into .tools/livekit/<version>/, with its licences.
# telelink loads this file at run time (docs/architecture.md); wheel and file are pinned by SHA-256.
#   get-livekit-library.sh aarch64   another machine's, into .tools/livekit/<version>-aarch64/, for its packages
set -euo pipefail
. "$(dirname "$0")/lib.sh"

DIR="$TOOLS/livekit/$LIVEKIT_VERSION"
if [ -n "${1:-}" ] && [ "$1" != "$(uname -m)" ]; then
  livekit_pins "Linux-$1"
  [ -n "$LIVEKIT_PLATFORM" ] || die "no LiveKit library is pinned for '$1'"
  DIR="$DIR-$1"
fi
LIB="$DIR/liblivekit_ffi.so"

fetch() {
  [ -n "$LIVEKIT_PLATFORM" ] || die "no LiveKit library is pinned for $(uname -sm); telelink runs on Linux x86_64 and aarch64"
  if [ -f "$LIB" ] && [ -f "$DIR/LICENSE.md" ] && [ -f "$DIR/LICENSE-soxr" ] && [ "$(sha256_of "$LIB")" = "$LIVEKIT_LIBRARY_SHA256" ]; then
    return 0
  fi
  say "fetching the LiveKit library $LIVEKIT_VERSION ($LIVEKIT_PLATFORM)"
  local tmp wheel
  mkdir -p "$TOOLS/livekit"
  tmp="$(mktemp -d "$TOOLS/livekit/.fetch.XXXXXX")"
  # shellcheck disable=SC2064 # expanded now: the variable is gone when the trap runs
  trap "rm -rf '$tmp'" EXIT
  "$TOOLS/venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --platform "$LIVEKIT_PLATFORM" -d "$tmp" "livekit==$LIVEKIT_VERSION" ||
    die "pip could not download livekit==$LIVEKIT_VERSION from the package index"
  wheel="$tmp/livekit-$LIVEKIT_VERSION-py3-none-$LIVEKIT_PLATFORM.whl"
  [ -f "$wheel" ] || die "pip brought $(ls "$tmp"), not $(basename "$wheel")"
  check_sha256 "$wheel" "$LIVEKIT_WHEEL_SHA256" "$(basename "$wheel")"
  mkdir "$tmp/out" "$tmp/wheel"
  "$TOOLS/venv/bin/python" -m zipfile -e "$wheel" "$tmp/wheel"
  cp "$tmp/wheel/livekit/rtc/resources/liblivekit_ffi.so" "$tmp/wheel/livekit/rtc/resources/LICENSE.md" \
    "$tmp/wheel/livekit-$LIVEKIT_VERSION.dist-info/METADATA" "$tmp/out/"
  check_sha256 "$tmp/out/liblivekit_ffi.so" "$LIVEKIT_LIBRARY_SHA256" "liblivekit_ffi.so"
  # The wheel states Apache-2.0 but ships neither that text nor the NOTICE of the Rust SDK it is made from: the text is ours,
  # the same one, the NOTICE is the one in the crate livekit-protocol.
  cp "$ROOT/LICENSE" "$tmp/out/LICENSE-APACHE"
  cp "$ROOT/packaging/livekit-NOTICE" "$tmp/out/NOTICE"
  # LGPL code in the library that LICENSE.md does not name; docs/licensing.md.
  cp "$ROOT/packaging/livekit-LICENSE-soxr" "$tmp/out/LICENSE-soxr"
  chmod 755 "$tmp/out/liblivekit_ffi.so"
  rm -rf "$DIR"
  mv "$tmp/out" "$DIR"
}

[ -x "$TOOLS/venv/bin/python" ] || "$ROOT/scripts/get-venv.sh"
with_lock livekit-library fetch
say "LiveKit library: $LIB"
