#!/usr/bin/env bash
# `make soak`: the link drops every few seconds while five viewers subscribe, unsubscribe, call, are killed and rejoin
# (SECONDS=600 of it). Then: threads, descriptors and memory as before, no reliable message lost within a session. The plot
# and the readings are in build/soak/. Needs what scripts/outages.sh needs.
# First of all: bash counts on from the value that it finds in the environment.
seconds=$SECONDS
set -euo pipefail
[ "$seconds" -ge 10 ] || seconds=600
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" apt livekit-library livekit-server
"$ROOT/scripts/apt.sh" outage
cargo build --release --locked --workspace
export TELELINK_OUTAGE_OUT="$ROOT/build/soak" RUST_BACKTRACE="${RUST_BACKTRACE:-0}"
exec "${CARGO_TARGET_DIR:-$ROOT/target}/release/telelink-outage" soak --seconds "$seconds"
