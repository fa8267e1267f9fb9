#!/usr/bin/env bash
# The address sanitizer, with its leak check, on the Rust unit tests. RUSTC_BOOTSTRAP lets the stable compiler take -Z flags, so
# that no second toolchain is needed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

host="$(rustc -vV | sed -n 's/^host: //p')"
export RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address ${RUSTFLAGS:-}" CARGO_TARGET_DIR="${ASAN_TARGET_DIR:-target/asan}"
mkdir -p build
cargo test --locked --workspace --lib --target "$host" 2>&1 | tee build/asan.log
grep -Eq '^test result: ok\. [1-9][0-9]{2,} passed' build/asan.log || die "the tests did not run"
