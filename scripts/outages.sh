#!/usr/bin/env bash
# `make outages`: a robot, viewers and a real server on hosts of their own (network namespaces), and a link that is cut, slow,
# lossy or moved; scenarios whose names contain one of the words of ONLY, else all (about 20 minutes). The table and the
# robots' logs are in build/outage/; docs/reliability.md explains them. Needs root or leave to make user namespaces.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" apt livekit-library livekit-server
"$ROOT/scripts/apt.sh" outage
# The same build as scripts/build.sh, so that `make test` compiles the library for release once.
cargo build --release --locked --workspace
export TELELINK_OUTAGE_OUT="$ROOT/build/outage" RUST_BACKTRACE="${RUST_BACKTRACE:-0}"
# shellcheck disable=SC2086 # a list of words
exec "${CARGO_TARGET_DIR:-$ROOT/target}/release/telelink-outage" run ${ONLY:-}
