#!/usr/bin/env bash
# The thread sanitizer on the Rust tests of session, fan-out and context, standard library included: without it, every
# wake-up inside std would look like a race.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/nightly.sh"
cd "$ROOT"

host="$(rustc -vV | sed -n 's/^host: //p')"
export RUSTFLAGS="-Zsanitizer=thread ${RUSTFLAGS:-}" CARGO_TARGET_DIR="${TSAN_TARGET_DIR:-target/tsan}"
export TSAN_OPTIONS="halt_on_error=1 ${TSAN_OPTIONS:-}"
mkdir -p build
cargo "+$nightly" test --locked -Zbuild-std --target "$host" --lib -- session:: fanout:: context:: 2>&1 | tee build/tsan.log
grep -Eq '^test result: ok\. [1-9][0-9]{2,} passed' build/tsan.log || die "the tests did not run"
