#!/usr/bin/env bash
# cargo build --release for a machine and the glibc of the packages, linked by zig: zigbuild.sh x86_64|aarch64 ARGUMENT...
# What it makes is in $CARGO_TARGET_DIR/MACHINE-unknown-linux-gnu/release. PACKAGE_GLIBC is in scripts/versions.sh.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

triple="${1:?usage: zigbuild.sh x86_64|aarch64 ARGUMENT...}-unknown-linux-gnu"
shift
"$ROOT/scripts/tools.sh" venv-package
export PATH="$TOOLS/venv-package/bin:$PATH"
if [ ! -d "$(rustc --print target-libdir --target "$triple" 2>/dev/null)" ]; then
  need rustup "the standard library for $triple is missing, and only rustup can add it"
  rustup target add "$triple"
fi
say "building for $triple, glibc $PACKAGE_GLIBC: $*"
# Without debug information: it would be ten times the library. STRIP=none keeps it.
CARGO_PROFILE_RELEASE_STRIP="${STRIP:-debuginfo}" cargo zigbuild --release --locked --target "$triple.$PACKAGE_GLIBC" "$@"
