#!/usr/bin/env bash
# Installs pinned tools from crates.io into .tools/bin: get-cargo-tool.sh cbindgen|cargo-deny|cargo-fuzz|cargo-about|cargo-cyclonedx|mdbook ...
# `--locked` builds each with the lock file in its package, whose hashes cargo checks.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

install_tool() {
  local name="$1" version="$2" stamp="$TOOLS/bin/.$1.stamp" optimised=0
  shift 2
  # It compares every licence file with every known licence: minutes without optimisation.
  [ "$name" != cargo-about ] || optimised=2
  if [ -x "$TOOLS/bin/$name" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$version" ]; then
    return 0
  fi
  need cargo "telelink needs Rust 1.88 or newer"
  say "building $name $version"
  # One target folder for all tools, so that an interrupted build goes on where it was. Unoptimised: they are built more
  # often than they are waited for, and that halves the time.
  (cd / && CARGO_TARGET_DIR="$TOOLS/cargo-target" CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_OPT_LEVEL="$optimised" \
    cargo install --quiet --debug --locked --force --no-track --root "$TOOLS" "$@" "$name@$version") ||
    die "cargo could not install $name $version from crates.io"
  # cargo install is content when a program is left out for want of a feature.
  [ -x "$TOOLS/bin/$name" ] || die "$name $version brought no program $name"
  printf '%s' "$version" >"$stamp"
}

[ $# -gt 0 ] || die "usage: get-cargo-tool.sh cbindgen|cargo-deny|cargo-fuzz|cargo-about|cargo-cyclonedx|mdbook ..."
for tool in "$@"; do
  flags=()
  case "$tool" in
  cbindgen) version="$CBINDGEN_VERSION" ;;
  cargo-deny) version="$CARGO_DENY_VERSION" ;;
  cargo-fuzz) version="$CARGO_FUZZ_VERSION" ;;
  cargo-about) version="$CARGO_ABOUT_VERSION" flags=(--features cli) ;;
  cargo-cyclonedx) version="$CARGO_CYCLONEDX_VERSION" ;;
  # Without its web server and file watcher, which are half of what it is built from.
  mdbook) version="$MDBOOK_VERSION" flags=(--no-default-features --features search) ;;
  *) die "no version of '$tool' is pinned in scripts/versions.sh" ;;
  esac
  with_lock "$tool" install_tool "$tool" "$version" "${flags[@]}"
  say "$tool: $TOOLS/bin/$tool"
done
