#!/usr/bin/env bash
# `make test-aarch64`: everything a 64-bit ARM robot runs, built here and run under qemu-user: the library and telelink-view
# (Rust, linked by zig against the glibc of the packages), the GoogleTest suites and examples (C and C++, Debian's cross
# compiler). The unit suites run on the in-memory room; then the example robot with LiveKit's aarch64 library streams to a
# LiveKit server on loopback, and a viewer has to see its data.
# The suites that need a server or measure time stay at home: emulated code is ten to thirty times slower.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

triple=aarch64-unknown-linux-gnu
build=build/aarch64
export CARGO_TARGET_DIR="${PACKAGE_TARGET_DIR:-$ROOT/target/package}"
"$ROOT/scripts/tools.sh" apt apt-cross venv venv-package livekit-library-aarch64 livekit-server
livekit="$TOOLS/livekit/$LIVEKIT_VERSION"
[ "$(uname -m)" = aarch64 ] || livekit="$livekit-aarch64"
livekit="$livekit/liblivekit_ffi.so"
"$ROOT/scripts/zigbuild.sh" aarch64 -p telelink -p telelink-client --lib --bins --example minimal_robot
built="$CARGO_TARGET_DIR/$triple/release"

# GoogleTest for ARM, from the source that Debian ships.
if [ ! -f "$build/googletest/installed/lib/libgtest.a" ]; then
  say "building GoogleTest for aarch64"
  cmake -S /usr/src/googletest -B "$build/googletest" -G Ninja --toolchain "$ROOT/cmake/aarch64-linux-gnu.cmake" -DBUILD_GMOCK=OFF \
    -DCMAKE_INSTALL_PREFIX="$ROOT/$build/googletest/installed" -DCMAKE_INSTALL_LIBDIR=lib >/dev/null
  cmake --build "$build/googletest" --target install >/dev/null
fi
say "building C and C++ for aarch64"
cmake -S . -B "$build/cmake" -G Ninja --toolchain "$ROOT/cmake/aarch64-linux-gnu.cmake" -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DTELELINK_BUILD_TESTS=ON -DTELELINK_BUILD_EXAMPLES=ON -DTELELINK_PREBUILT_DIR="$(realpath "$built")" \
  -DTELELINK_LIVEKIT_LIBRARY="$livekit" -DCMAKE_PREFIX_PATH="$ROOT/$build/googletest/installed" >/dev/null
cmake --build "$build/cmake"

tests/abi/check_symbols.sh "$built/libtelelink.so"
tests/abi/check_elf.sh "$PACKAGE_GLIBC" aarch64 "$built/libtelelink.so" "$built/telelink-view" "$built/examples/minimal_robot" "$livekit"
emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
[ "$(uname -m)" != aarch64 ] || emulator=()

say "unit suites on aarch64"
"${emulator[@]}" "$build/cmake/tests/header_check"
for suite in capi cpp; do
  # One process for each suite: starting one under qemu for every test, as ctest does, takes longer than the tests.
  "${emulator[@]}" "$build/cmake/tests/$suite" --gtest_brief=1
done
"${emulator[@]}" "$built/telelink-view" --version

export TELELINK_LIVEKIT_LIBRARY="$livekit"
unset LIVEKIT_LIB_PATH
for robot in "$build/cmake/bin/minimal_robot" "$build/cmake/bin/minimal_robot_c" "$built/examples/minimal_robot"; do
  say "streaming: $robot on aarch64"
  LIVEKIT_LIB_PATH="$TOOLS/livekit/$LIVEKIT_VERSION/liblivekit_ffi.so" \
    "$PYTHON_VENV" scripts/demo.py --check --robot "env LIVEKIT_LIB_PATH= ${emulator[*]} $robot"
done
say "aarch64: OK"
