#!/usr/bin/env bash
# The C and C++ tests once more with sanitizers: test-sanitized.sh address,undefined
# They run against the library of the plain build: its allocations go through the sanitizer's malloc, so leaks are seen.
# The LiveKit library is not instrumented, so tests on a real server (label `livekit`) are left to the plain run.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

kinds="${1:?usage: test-sanitized.sh address,undefined}"
dir="build/cmake-${kinds//,/-}"
scripts/build.sh
cmake -S . -B "$dir" -G Ninja -DTELELINK_PREBUILT_DIR="$(realpath "${CARGO_TARGET_DIR:-target}")/release" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTELELINK_SANITIZE="$kinds" \
  -DTELELINK_BUILD_TESTS=ON -DTELELINK_BUILD_EXAMPLES=OFF -DTELELINK_LIVEKIT_LIBRARY="$TELELINK_LIVEKIT_LIBRARY"
cmake --build "$dir"
ctest --test-dir "$dir" --output-on-failure --no-tests=error --timeout 300 --label-exclude livekit
