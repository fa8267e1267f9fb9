#!/usr/bin/env bash
# `make bench`: log cost (criterion, and the C call), pictures to encoder input (criterion), then end to end through a real
# server with the peers in the same run; results and the plot in build/bench/. SMOKE=1: about a minute, only to see that
# every part yields numbers.
# docs/performance.md explains the figures.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" apt venv livekit-library livekit-server
release="${CARGO_TARGET_DIR:-$ROOT/target}/release"
smoke=()
criterion=()
# A smoke leaves the figures of the last full run alone.
out="$ROOT/build/bench"
if [ "${SMOKE:-0}" = 1 ]; then
  smoke=(--smoke)
  criterion=(--warm-up-time 0.1 --measurement-time 0.2 --sample-size 10 --nresamples 1001)
  out="$ROOT/build/bench-smoke"
fi
rm -rf "$out"
mkdir -p "$out"
# Where criterion and the counts beside it keep their figures: telelink-bench reads both.
export CRITERION_HOME="$out/criterion" TELELINK_BENCH_OUT="$out"
# The same build as scripts/build.sh, so that `make test` compiles the library for release once.
cargo build --release --locked --workspace
cargo bench --locked -p telelink-bench --bench log --bench video -- --noplot "${criterion[@]}"
# The program asks for the library by its SONAME, which is not the name cargo gives the file.
soname="$(objdump -p "$release/libtelelink.so" | awk '$1 == "SONAME" { print $2 }')"
ln -s "$release/libtelelink.so" "$out/$soname"
cc -std=c11 -O2 -Iinclude bench/c/log.c -o "$out/log_c" "$out/$soname" -Wl,-rpath,"$out"
"$out/log_c" >"$out/log_c.json"
"$release/telelink-bench" --output "$out" --python "$PYTHON_VENV" "${smoke[@]}"
