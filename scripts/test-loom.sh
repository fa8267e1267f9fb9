#!/usr/bin/env bash
# loom runs the viewer queue, the slot and the session's mailbox through every order of their threads, with at most two
# preemptions each (most bugs need no more; the bound keeps it to a minute). Own target folder, as its build has another cfg.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

mkdir -p build
export RUSTFLAGS="--cfg telelink_loom ${RUSTFLAGS:-}" CARGO_TARGET_DIR="${LOOM_TARGET_DIR:-target/loom}"
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-2}" LOOM_MAX_BRANCHES=10000
# libtest says nothing when a filter matches no test, so the number is looked at.
cargo test --locked --lib interleavings:: 2>&1 | tee build/loom.log
grep -Eq '^test result: ok\. ([1-9][0-9]+) passed' build/loom.log || die "loom's tests did not run"
