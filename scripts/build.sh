#!/usr/bin/env bash
# Builds everything into build/bin/: the library (cargo, release), then the C++ wrapper's tests, examples and the fixture
# robot (cmake). One cargo profile serves all of C++, demo, conformance and benchmarks; CONTRIBUTING.md says why.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" apt venv livekit-library
mkdir -p build/bin/telelink
# Where the programs there look for the LiveKit library when nobody names it.
ln -sfn "$TOOLS/livekit/$LIVEKIT_VERSION/liblivekit_ffi.so" build/bin/telelink/liblivekit_ffi.so

say "building the Rust workspace (release)"
cargo build --release --locked --workspace
# Only programs of this workspace: cargo's own list, not whatever lies in target/release.
cargo metadata --format-version 1 --no-deps --locked | "$TOOLS/venv/bin/python" -c '
import json, sys
for package in json.load(sys.stdin)["packages"]:
    for target in package["targets"]:
        if "bin" in target["kind"]:
            print(target["name"])
' | while read -r name; do
  cp "${CARGO_TARGET_DIR:-target}/release/$name" "build/bin/$name"
done

if [ -f CMakeLists.txt ]; then
  say "building C and C++"
  # CMake takes the library that was just built: asked for the library alone, cargo would choose other features for the
  # same dependencies and compile them all a second time.
  cmake -S . -B build/cmake -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$ROOT/build/bin" \
    -DTELELINK_BUILD_TESTS=ON -DTELELINK_BUILD_EXAMPLES=ON \
    -DTELELINK_PREBUILT_DIR="$(realpath "${CARGO_TARGET_DIR:-target}")/release" \
    -DTELELINK_LIVEKIT_LIBRARY="$TOOLS/livekit/$LIVEKIT_VERSION/liblivekit_ffi.so" >build/cmake-configure.log ||
    { cat build/cmake-configure.log >&2 && die "cmake could not configure the C++ side"; }
  cmake --build build/cmake
fi
say "built: $(find build/bin -maxdepth 1 -type f -printf '%f ')"
