#!/usr/bin/env bash
# Fuzzes every target of fuzz/ for SECONDS_EACH (default 300) seconds from the committed corpus; stops at the first crash.
# What it learns goes to build/fuzz-corpus/, never into the committed corpus by itself.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

[ -f fuzz/Cargo.toml ] || die "fuzz/ is not in the tree yet"
"$ROOT/scripts/tools.sh" cargo-fuzz
export PATH="$TOOLS/bin:$PATH"
# The stable compiler takes -Z flags with this, so that no nightly toolchain is needed.
export RUSTC_BOOTSTRAP=1
targets="$(cargo fuzz list)"
[ -n "$targets" ] || die "cargo fuzz lists no target"
for target in $targets; do
  mkdir -p "build/fuzz-corpus/$target" "fuzz/corpus/$target"
  say "fuzzing $target for ${SECONDS_EACH:-300} s"
  cargo fuzz run "$target" "build/fuzz-corpus/$target" "fuzz/corpus/$target" -- \
    -max_total_time="${SECONDS_EACH:-300}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
done
