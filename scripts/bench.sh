#!/usr/bin/env bash
# `make bench`: log cost (criterion), then end to end through a real server with the peers in the same run; results and
# the plot in build/bench/. SMOKE=1: about a minute, only to see that every part yields numbers.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

[ -f bench/Cargo.toml ] || die "bench/ is not in the tree yet"
"$ROOT/scripts/tools.sh" apt venv livekit-library livekit-server
mkdir -p build/bench
smoke=()
criterion=()
if [ "${SMOKE:-0}" = 1 ]; then
  smoke=(--smoke)
  criterion=(--warm-up-time 0.2 --measurement-time 0.5 --sample-size 10)
fi
cargo bench --locked -p telelink-bench -- "${criterion[@]}"
cargo run --release --locked -p telelink-bench -- --output build/bench --python "$PYTHON_VENV" "${smoke[@]}"
