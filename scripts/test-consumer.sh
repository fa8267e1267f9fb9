#!/usr/bin/env bash
# Installs the package into a prefix, moves that elsewhere (it must be relocatable), and builds and runs the out-of-tree
# project tests/consumer with it: gcc and clang, with and without exceptions and RTTI. Warnings are errors there.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

[ -f tests/consumer/CMakeLists.txt ] || die "tests/consumer is not in the tree yet"
"$ROOT/scripts/tools.sh" apt venv livekit-library livekit-server
"$ROOT/scripts/build.sh"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cmake --install build/cmake --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"

# The installed tree brings the LiveKit library itself; nothing may lead back to this checkout.
unset TELELINK_LIVEKIT_LIBRARY LIVEKIT_LIB_PATH
for compiler in gcc:g++ clang:clang++; do
  for flags in "" "-fno-exceptions -fno-rtti"; do
    build="$work/build-${compiler%%:*}${flags:+-plain}"
    say "consumer: ${compiler##*:} $flags"
    CC="${compiler%%:*}" CXX="${compiler##*:}" cmake -S tests/consumer -B "$build" -G Ninja \
      -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS="$flags" >/dev/null
    cmake --build "$build"
    ctest --test-dir "$build" --output-on-failure --no-tests=error --timeout 120
  done
done
