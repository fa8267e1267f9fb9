#!/usr/bin/env bash
# Every way to telelink from another project, tests/consumer, which is built with warnings as errors and run:
#   find_package      on an installed prefix that was moved (it must be relocatable), with gcc and clang, with and without
#                     exceptions and RTTI; the same project also uses pkg-config
#   pkg-config        without CMake
#   add_subdirectory  on this checkout
#   FetchContent      on this checkout by FETCHCONTENT_SOURCE_DIR_TELELINK
# The last two take the library that is built already. FROM_GIT=1 runs one more instead, as a user meets it: FetchContent of
# the last commit from git, whose CMake runs cargo.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" apt venv livekit-library livekit-server
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# consumer NAME CMAKE-ARGUMENT...: builds tests/consumer and runs its tests.
consumer() {
  local build="$work/build-$1"
  shift
  cmake -S tests/consumer -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release "$@" >"$work/configure.log" 2>&1 ||
    { cat "$work/configure.log" >&2 && die "tests/consumer could not be configured"; }
  # shellcheck disable=SC2086 # a list of words
  cmake --build "$build" ${TARGETS:+--target $TARGETS}
  ctest --test-dir "$build" --output-on-failure --no-tests=error --timeout 120
}

if [ "${FROM_GIT:-0}" = 1 ]; then
  say "consumer: FetchContent from git, commit $(git rev-parse --short HEAD)"
  # A target folder of its own: cargo chooses other features for the library alone than for the workspace.
  CARGO_TARGET_DIR="${CONSUMER_TARGET_DIR:-$ROOT/target/consumer}" TARGETS="robot_cpp robot_c" \
    consumer git -DTELELINK_FROM=fetch -DTELELINK_SOURCE="file://$ROOT" -DTELELINK_COMMIT="$(git rev-parse HEAD)" \
    -DTELELINK_LIVEKIT_LIBRARY="$TELELINK_LIVEKIT_LIBRARY"
  exit 0
fi

if [ -n "${PREBUILT:-}" ]; then
  # Another build of the library, for example a quick one while working: PREBUILT=target/debug
  cmake -S . -B "$work/cmake" -G Ninja -DTELELINK_BUILD_TESTS=OFF -DTELELINK_BUILD_EXAMPLES=OFF \
    -DTELELINK_PREBUILT_DIR="$(realpath "$PREBUILT")" -DTELELINK_LIVEKIT_LIBRARY="$TELELINK_LIVEKIT_LIBRARY" >/dev/null
  cmake --build "$work/cmake"
  cmake --install "$work/cmake" --prefix "$work/first" >/dev/null
else
  PREBUILT="${CARGO_TARGET_DIR:-target}/release"
  "$ROOT/scripts/build.sh"
  cmake --install build/cmake --prefix "$work/first" >/dev/null
fi
mv "$work/first" "$work/moved"

livekit="$TELELINK_LIVEKIT_LIBRARY"
# The installed tree brings the LiveKit library itself; nothing may lead back to this checkout.
unset TELELINK_LIVEKIT_LIBRARY LIVEKIT_LIB_PATH
for compiler in gcc:g++ clang:clang++; do
  for flags in "" "-fno-exceptions -fno-rtti"; do
    say "consumer: ${compiler##*:} $flags"
    CC="${compiler%%:*}" CXX="${compiler##*:}" \
      consumer "${compiler%%:*}${flags:+-plain}" -DCMAKE_PREFIX_PATH="$work/moved" -DCMAKE_CXX_FLAGS="$flags"
  done
done

say "consumer: pkg-config alone"
export PKG_CONFIG_PATH="$work/moved/lib/pkgconfig:$work/moved/lib/$(gcc -print-multiarch)/pkgconfig"
# shellcheck disable=SC2046 # flags are words
c++ -std=c++17 -Wall -Wextra -Werror tests/consumer/robot.cpp tests/consumer/second.cpp -o "$work/robot" \
  $(pkg-config --cflags --libs telelink) -Wl,-rpath,"$(pkg-config --variable=libdir telelink)"
"$work/robot"

built=(-DTELELINK_PREBUILT_DIR="$(realpath "$PREBUILT")" -DTELELINK_LIVEKIT_LIBRARY="$livekit")
TARGETS="robot_cpp robot_c"
say "consumer: add_subdirectory"
consumer subdirectory -DTELELINK_FROM=subdirectory -DTELELINK_SOURCE="$ROOT" "${built[@]}"
say "consumer: FetchContent of a folder"
consumer fetch -DTELELINK_FROM=fetch -DFETCHCONTENT_SOURCE_DIR_TELELINK="$ROOT" "${built[@]}"
