#!/usr/bin/env bash
# Puts the npm packages of tests/browser into .tools/browser: LiveKit's client for the page, and what drives Chromium.
# Every one is pinned by version and hash in tests/browser/package-lock.json; npm runs no scripts of theirs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

SOURCE="$ROOT/tests/browser"
FOLDER="$TOOLS/browser"

install_modules() {
  local want
  want="$(sha256_of "$SOURCE/package-lock.json")"
  [ "$(cat "$FOLDER/.telelink-stamp" 2>/dev/null)" != "$want" ] || return 0
  need npm "it comes with Node.js 20 or newer"
  say "installing the npm packages of tests/browser"
  mkdir -p "$FOLDER"
  cp "$SOURCE/package.json" "$SOURCE/package-lock.json" "$FOLDER/"
  npm ci --prefix "$FOLDER" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null ||
    die "npm could not install tests/browser/package-lock.json from its registry"
  printf '%s' "$want" >"$FOLDER/.telelink-stamp"
}

with_lock browser install_modules
