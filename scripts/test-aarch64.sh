#!/usr/bin/env bash
# `make test-aarch64`: everything a 64-bit ARM robot runs, built here and run under qemu-user: the library and telelink-view
# (Rust, linked by zig against the glibc of the packages), the GoogleTest suites and examples (C and C++, Debian's cross
# compiler). The unit suites run on the in-memory room. LiveKit's aarch64 library is loaded and asked to join; no more than
# that under qemu-user, where it gets no connection within the 5 s that a join may take. On an ARM machine, where this runs
# without qemu, the example robots stream to a LiveKit server.
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
"$ROOT/scripts/zigbuild.sh" aarch64 -p telelink -p telelink-client --lib --bins
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
tests/abi/check_elf.sh "$PACKAGE_GLIBC" aarch64 "$built/libtelelink.so" "$built/telelink-view" "$livekit"
emulator=(qemu-aarch64 -L /usr/aarch64-linux-gnu)
# These tests start their own program again, which only the kernel can do for another machine's (binfmt_misc).
filter='-*DeathTest.*'
if [ "$(uname -m)" = aarch64 ]; then
  emulator=() filter='*'
fi

say "unit suites on aarch64, without $filter"
"${emulator[@]}" "$build/cmake/tests/header_check"
for suite in capi cpp; do
  # One process for each suite: starting one under qemu for every test, as ctest does, takes longer than the tests.
  "${emulator[@]}" "$build/cmake/tests/$suite" --gtest_brief=1 --gtest_filter="$filter" 2>"$build/$suite.log" ||
    { tail -50 "$build/$suite.log" >&2 && die "the suite $suite failed on aarch64"; }
done

unset LIVEKIT_LIB_PATH
export TELELINK_LIVEKIT_LIBRARY="$livekit"
if [ "$(uname -m)" = aarch64 ]; then
  for robot in minimal_robot minimal_robot_c; do
    say "streaming: $robot"
    "$PYTHON_VENV" scripts/demo.py --check --robot "$build/cmake/bin/$robot"
  done
else
  say "LiveKit's aarch64 library is loaded and asked to join"
  # Nobody listens there. A library that could not be loaded is another message.
  said="$("${emulator[@]}" "$built/telelink-view" --url ws://127.0.0.1:9 --token none 2>&1 || true)"
  grep -q "cannot join the room" <<<"$said" && ! grep -qF "TELELINK_LIVEKIT_LIBRARY" <<<"$said" ||
    die "telelink-view on aarch64 said: $said"
fi
say "aarch64: OK"
