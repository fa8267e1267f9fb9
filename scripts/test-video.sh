#!/usr/bin/env bash
# The video tests that take minutes: every format over every serialization, every odd width and height, and a hundred lives
# of a track and of a session, after which threads, descriptors and memory are what they were. One after the other: those
# count what belongs to their process, and the ages of pictures mean little on a machine that is busy with the other tests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" venv livekit-library livekit-server
export MALLOC_ARENA_MAX=1
cargo test --locked -p telelink --test e2e -- --ignored --test-threads 1 --nocapture
