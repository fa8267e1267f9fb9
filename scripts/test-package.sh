#!/usr/bin/env bash
# `make test-package`: the Debian packages of build/package/ in clean Debian roots, the oldest with the glibc they promise.
# In each: both packages are installed, tests/package (a robot of 20 lines) is built by CMake and by pkg-config, tests/consumer
# runs on the in-memory room, the static library is linked; then the robot streams to a LiveKit server on this machine's
# loopback and a viewer on LiveKit's own Python SDK has to see its data. The .tar.gz is unpacked and used the same way.
# As root: it uses debootstrap and chroot. SUITES="bookworm" tests fewer.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

suites="${SUITES:-bullseye bookworm}"
architecture="$(dpkg --print-architecture 2>/dev/null || echo amd64)"
packages="$ROOT/build/package"
[ "$(id -u)" = 0 ] || die "debootstrap and chroot need root"
"$ROOT/scripts/tools.sh" apt apt-package venv livekit-server
if ! compgen -G "$packages/libtelelink-dev_*_$architecture.deb" >/dev/null; then
  ARCHITECTURES="$architecture" "$ROOT/scripts/package.sh"
fi
(cd "$packages" && sha256sum --quiet --check SHA256SUMS) || die "build/package/ is not what SHA256SUMS says"

# The clean root of a suite, with what a C++ programmer there installs, kept as an archive for the next time.
base() {
  local archive="$TOOLS/roots/$1.tar" dir
  [ ! -f "$archive" ] || return 0
  say "debootstrap $1"
  mkdir -p "$TOOLS/roots"
  dir="$(mktemp -d "$TOOLS/roots/.$1.XXXXXX")"
  debootstrap --variant=minbase --include=g++,cmake,make,pkg-config "$1" "$dir" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" \
    >"$TOOLS/roots/$1.log" 2>&1 || { tail -20 "$TOOLS/roots/$1.log" >&2 && rm -rf "$dir" && die "debootstrap $1 failed"; }
  rm -rf "$dir"/var/cache/apt/archives/*.deb "$dir"/var/lib/apt/lists/*
  tar -C "$dir" -cf "$archive.new" .
  rm -rf "$dir"
  mv "$archive.new" "$archive"
}

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
# Nothing of this machine but its network: the LiveKit library must be the package's own.
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 chroot "$@"; }
streams() {
  say "$1"
  "$PYTHON_VENV" scripts/demo.py --check \
    --robot "env -u TELELINK_LIVEKIT_LIBRARY -u LIVEKIT_LIB_PATH LC_ALL=C.UTF-8 chroot $2 $3"
}

# What a program copies or calls, by its place in the prefix and its folder of documents.
complete() {
  inside "$1" sh -euc '
    for file in "$0/$1/examples/cpp/camera.cpp" "$0/$1/examples/cpp/log_spdlog.cpp" "$0/$1/examples/c/minimal_robot_c.c" \
      "$0/$1/manual/install.md" "$0/$1/manual/performance.svg" "$0"/lib/$2/cmake/telelink/aarch64-linux-gnu.cmake; do
      [ -s "$file" ] || { echo "$file is not in the package" >&2; exit 1; }
    done
    # It finds the LiveKit library of the package: there is no server, and that is what it says. By its own name, since it
    # asks /proc, which is not there, what a link leads to.
    said="$(timeout 20 "$(readlink -f "$0/bin/telelink-view")" --url ws://127.0.0.1:1 --token x 2>&1 || true)"
    case "$said" in *"library could not be loaded"* | "") echo "telelink-view: $said" >&2; exit 1 ;; esac
  ' "$2" "$3" "$4"
}

for suite in $suites; do
  with_lock "root-$suite" base "$suite"
  root="$work/$suite"
  mkdir "$root"
  tar -C "$root" -xf "$TOOLS/roots/$suite.tar"
  mkdir "$root/test"
  cp -r tests/package tests/consumer "$root/test/"
  cp "$packages"/libtelelink0_*_"$architecture".deb "$packages"/libtelelink-dev_*_"$architecture".deb "$root/test/"
  say "$suite: glibc $(inside "$root" ldd --version | sed -n '1s/.* //p'), $(inside "$root" g++ --version | head -1)"

  inside "$root" sh -c 'dpkg -i /test/*.deb' >/dev/null
  complete "$root" /usr share/doc/libtelelink-dev "$(uname -m)-linux-gnu"
  inside "$root" sh -euc '
    ldconfig -p | grep -q "libtelelink\.so\.0 " || { echo "ldconfig does not know libtelelink.so.0" >&2; exit 1; }
    cd /test
    cmake -S package -B package/build >/dev/null && cmake --build package/build >/dev/null
    g++ -std=c++17 -Wall -Wextra -Werror package/robot.cpp -o package/robot-pkg-config $(pkg-config --cflags --libs telelink)
    cmake -S consumer -B consumer/build >/dev/null && cmake --build consumer/build >/dev/null
    (cd consumer/build && ctest --output-on-failure --timeout 120)
    cmake -S package -B package/static -DTELELINK_STATIC=ON >/dev/null && cmake --build package/static >/dev/null
    ! ldd package/static/robot | grep -q libtelelink || { echo "the static robot needs libtelelink.so" >&2; exit 1; }
  '
  streams "$suite: the robot built by CMake" "$root" /test/package/build/robot
  streams "$suite: the robot built by pkg-config" "$root" /test/package/robot-pkg-config
  # A program that is linked statically brings the LiveKit library beside itself.
  cp "$root"/usr/lib/*/telelink/liblivekit_ffi.so "$root/test/package/static/"
  streams "$suite: the robot with the static library" "$root" /test/package/static/robot

  inside "$root" dpkg --purge libtelelink-dev libtelelink0 >/dev/null
  left="$(inside "$root" find / -xdev -name '*telelink*' -not -path '/test/*' -not -path '/proc/*')"
  [ -z "$left" ] || die "$suite: dpkg --purge leaves behind: $left"

  mkdir "$root/opt/telelink"
  tar -C "$root/opt/telelink" --strip-components=1 -xzf "$packages"/telelink-*-linux-"$(uname -m)".tar.gz
  complete "$root" /opt/telelink share/doc/telelink .
  inside "$root" sh -euc '
    cd /test
    cmake -S package -B package/archive -DCMAKE_PREFIX_PATH=/opt/telelink >/dev/null && cmake --build package/archive >/dev/null
  '
  streams "$suite: the robot built with the archive" "$root" /test/package/archive/robot
  rm -rf "$root"
done
say "packages: OK on $suites"
