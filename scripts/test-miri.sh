#!/usr/bin/env bash
# Miri on the two places where memory safety is ours to prove: the C surface, and the codec that reads hostile bytes.
# Left out are tests that would take Miri hours (megabytes through an interpreter: the large golden frames, properties) and
# whole sessions, whose threads end in foreign calls; sanitizers see those.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/nightly.sh"
cd "$ROOT"

# The clock and files of the host: golden frames are read from files.
export RUST_BACKTRACE=0 MIRIFLAGS="-Zmiri-disable-isolation ${MIRIFLAGS:-}" CARGO_TARGET_DIR="${MIRI_TARGET_DIR:-target/miri}"
limit="${MIRI_LIMIT:-1200}"

# run MINIMUM ARGUMENTS...: the tests must be there, because a filter that matches nothing succeeds.
run() {
  local least="$1" log="build/miri.log"
  shift
  mkdir -p build
  timeout "$limit" cargo "+$nightly" miri test --locked "$@" 2>&1 | tee "$log"
  local passed
  passed="$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$log")"
  [ "${passed:-0}" -ge "$least" ] || die "Miri ran ${passed:-0} tests, expected at least $least"
}

run 15 --lib -- capi::tests protocol:: fanout::tests::queue fanout::tests::slot --skip many_producers --skip threads_that
# p_199: lists of a million entries, and values a hundred thousand deep.
run 60 --test protocol -- --skip round_trip --skip golden --skip mib --skip p_199 --skip s_74a_error_texts \
  --skip million --skip large --skip megabyte
