#!/usr/bin/env bash
# `make test-full`: make test, then what takes longer. FULL_ONLY=1 leaves out make test (CI does that, having run it).
# Miri and the thread sanitizer use a pinned nightly toolchain, which the scripts install with rustup; nothing else needs it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
. "$ROOT/scripts/steps.sh"

HOST="$(rustc -vV | sed -n 's/^host: //p')"

[ "${FULL_ONLY:-0}" = 1 ] || step "make test" scripts/test.sh
# RUSTC_BOOTSTRAP lets the stable compiler take -Z flags, so that no second toolchain is needed. Own target folder: other
# flags in the same one would rebuild everything at each change of mind.
step "Rust unit tests, address sanitizer" \
  env RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/asan \
  cargo test --locked --workspace --lib --target "$HOST"
step "C and C++ tests, address and undefined-behaviour sanitizers" scripts/test-sanitized.sh address,undefined
step "outages" scripts/outages.sh
step "soak" env SECONDS=60 scripts/soak.sh
step "Rust unit tests, thread sanitizer" timeout 3600 scripts/test-tsan.sh
step "C and C++ tests, thread sanitizer" timeout 3600 scripts/test-sanitized.sh thread
step "Miri on the C surface and the codec" timeout 3600 scripts/test-miri.sh
step "loom on queue, slot and mailbox" timeout 1800 scripts/test-loom.sh
step "fuzzing" env SECONDS_EACH="${SECONDS_EACH:-60}" scripts/fuzz.sh
step "manual" scripts/docs.sh
step "licences, bans, sources" scripts/deny.sh
finish
