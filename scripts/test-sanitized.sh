#!/usr/bin/env bash
# The C and C++ tests once more with sanitizers: test-sanitized.sh address,undefined, or test-sanitized.sh thread
# They run against the library of the plain build: its allocations go through the sanitizer's malloc, so leaks are seen.
# The thread sanitizer has to see both sides of every lock, so for it the library is built with it too, by the pinned nightly
# and with the standard library, and the tests by clang.
# The LiveKit library is not instrumented, so tests on a real server (label `livekit`) are left to the plain run.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

# Tests that make a panic wait for what follows it; with a sanitizer, the names for a backtrace take half a minute.
export RUST_BACKTRACE=0
kinds="${1:?usage: test-sanitized.sh address,undefined}"
dir="build/cmake-${kinds//,/-}"
prebuilt="${CARGO_TARGET_DIR:-target}/release"
compilers=()
if [ "$kinds" = thread ]; then
  . "$ROOT/scripts/nightly.sh"
  host="$(rustc -vV | sed -n 's/^host: //p')"
  target="${TSAN_TARGET_DIR:-target/tsan}"
  RUSTFLAGS="-Zsanitizer=thread" CARGO_TARGET_DIR="$target" \
    cargo "+$nightly" build --locked -Zbuild-std --target "$host" -p telelink --lib
  prebuilt="$target/$host/debug"
  # The nightly's own runtime, because its instrumentation is newer than a distribution's clang.
  runtime="$(echo "$(rustc "+$nightly" --print sysroot)/lib/rustlib/$host/lib"/librustc-*_rt.tsan.a)"
  [ -f "$runtime" ] || die "$nightly has no thread sanitizer runtime"
  compilers=(
    -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
    "-DCMAKE_EXE_LINKER_FLAGS=-fno-sanitize-link-runtime -Wl,--whole-archive $runtime -Wl,--no-whole-archive -Wl,--export-dynamic -lpthread -ldl -lrt -lm -lresolv"
  )
  export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1 ${TSAN_OPTIONS:-}"
else
  scripts/build.sh
fi
cmake -S . -B "$dir" -G Ninja "${compilers[@]}" -DTELELINK_PREBUILT_DIR="$(realpath "$prebuilt")" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTELELINK_SANITIZE="$kinds" \
  -DTELELINK_BUILD_TESTS=ON -DTELELINK_BUILD_EXAMPLES=OFF -DTELELINK_LIVEKIT_LIBRARY="$TELELINK_LIVEKIT_LIBRARY"
cmake --build "$dir"
# Left to the plain run too: a child of fork(), which has the sanitizer's locks but not the threads that hold them, so that its
# leak check waits for ever; and the bound of glibc's arenas, for the sanitizer brings an allocator of its own.
ctest --test-dir "$dir" --output-on-failure --no-tests=error --timeout 300 --label-exclude livekit \
  --exclude-regex "AfterForks|MallocArenas"
