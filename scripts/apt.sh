#!/usr/bin/env bash
# Installs the Debian packages that are missing: as root with apt-get, after one `apt-get update`, never asking anything.
# Otherwise it says what is missing and fails. What counts is the program or header, not who installed it.
#   apt.sh          what building and testing needs
#   apt.sh demo     what the camera of the demo shows when there is none: a recording, and what reads it
#   apt.sh browser  the browser of the video tests
#   apt.sh outage   what the outage tests need beside that
#   apt.sh cross    what building for aarch64 and running that under qemu needs beside it
#   apt.sh package  what the test of the packages in a clean Debian root needs beside it
#   apt.sh docs     what the manual needs beside that
set -euo pipefail
. "$(dirname "$0")/lib.sh"

has_header() { printf '#include <%s>\n' "$1" | c++ -E -x c++ - >/dev/null 2>&1; }
# What makes networks stands where only root has its path.
PATH="$PATH:/usr/sbin:/sbin"
has() { command -v "$1" >/dev/null 2>&1; }
what="${1:-build}"

missing() {
  case "$what" in
  outage)
    has ip && has tc || echo iproute2
    has nft || echo nftables
    has nsenter || echo util-linux
    return
    ;;
  demo)
    has ffmpeg || echo ffmpeg
    # examples/cpp/camera.cpp knows where it is.
    [ -f /usr/share/doc/opencv-doc/examples/data/vtest.avi ] || echo opencv-doc
    return
    ;;
  docs)
    has doxygen || echo doxygen
    return
    ;;
  browser)
    has chromium || echo chromium
    return
    ;;
  cross)
    has aarch64-linux-gnu-g++ || echo g++-aarch64-linux-gnu
    has aarch64-linux-gnu-gcc || echo gcc-aarch64-linux-gnu
    has qemu-aarch64 || echo qemu-user
    # Debian's libgtest-dev is for the machine's own architecture; its source builds for any.
    [ -f /usr/src/googletest/CMakeLists.txt ] || echo googletest
    return
    ;;
  package)
    has debootstrap || echo debootstrap
    has dpkg-deb || echo dpkg
    return
    ;;
  esac
  has c++ || echo g++
  has cc || echo gcc
  has cmake || echo cmake
  has ninja || echo ninja-build
  has pkg-config || echo pkg-config
  # The consumer test builds with both compilers.
  has clang++ || echo clang
  # find_package(GTest) of the C and C++ tests; there is no registry to fetch it from instead.
  has_header gtest/gtest.h || echo libgtest-dev
  # The fixture robot's JSON.
  has_header nlohmann/json.hpp || echo nlohmann-json3-dev
  # What the log adapters of the examples adapt to.
  has_header spdlog/spdlog.h || echo libspdlog-dev
  [ -n "${AMENT_PREFIX_PATH:-}" ] || [ -e /usr/include/rcutils/rcutils/logging.h ] || echo librcutils-dev
  # Tests of networks: certificates, and a network without a name service.
  has openssl || echo openssl
  has ip || echo iproute2
  has flock && has unshare || echo util-linux
  "${PYTHON:-python3}" -c 'import ensurepip, venv' >/dev/null 2>&1 || echo python3-venv
}

packages="$(missing | tr '\n' ' ')"
[ -n "$packages" ] || exit 0
if ! has apt-get; then
  die "missing, under their Debian names: $packages- install them with this system's package manager"
fi
[ "$(id -u)" = 0 ] || die "missing Debian packages; as root run: apt-get install $packages"
say "installing Debian packages: $packages"
export DEBIAN_FRONTEND=noninteractive
# The timeout waits for another apt-get on the same machine.
apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null || die "apt-get update failed"
# shellcheck disable=SC2086 # a list of words
apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $packages </dev/null >/dev/null ||
  die "apt-get could not install: $packages"
packages="$(missing | tr '\n' ' ')"
[ -z "$packages" ] || die "installed, but still not usable: $packages"
