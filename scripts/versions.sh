# The one place for versions and hashes of tools that are not Python packages (scripts/requirements.txt has those).

LIVEKIT_VERSION=1.2.1
# livekit_pins SYSTEM-MACHINE: which wheel of the LiveKit library that is, and the hashes of the wheel and of the library in it.
livekit_pins() {
  case "$1" in
  Linux-x86_64)
    LIVEKIT_PLATFORM=manylinux_2_28_x86_64
    LIVEKIT_WHEEL_SHA256=c9a0269cc23a889e20f716405a59fbae375a0248ea3d2d043da103cfb0b71711
    LIVEKIT_LIBRARY_SHA256=b0e3b91dcf42b486045b6acca4863b132e3c4d114d5701b5759c7661c04ea1eb
    ;;
  Linux-aarch64)
    LIVEKIT_PLATFORM=manylinux_2_28_aarch64
    LIVEKIT_WHEEL_SHA256=8a3dd36574d5df73dba5baa8fbed97401e25b51ab38822fe2c4769fef994f09d
    LIVEKIT_LIBRARY_SHA256=1851e0a2b740be6041e5a8bf66f419f78f0a424348b4d44d52bf2ece231ab740
    ;;
  *)
    LIVEKIT_PLATFORM=
    LIVEKIT_WHEEL_SHA256=
    LIVEKIT_LIBRARY_SHA256=
    ;;
  esac
}
livekit_pins "$(uname -s)-$(uname -m)"

# The module hash covers its go.sum, and go.sum covers every dependency: this one line pins the whole server.
LIVEKIT_SERVER_MODULE=github.com/livekit/livekit-server
LIVEKIT_SERVER_VERSION=v1.13.5
LIVEKIT_SERVER_SUM=h1:HWfxfKvi5k1czMVqLV/htGmPgEBhrqHMxpfyMvfhyVo=

# crates.io packages, built with the lock file that each of them ships (cargo checks its hashes).
CBINDGEN_VERSION=0.29.4
CARGO_DENY_VERSION=0.20.2
CARGO_FUZZ_VERSION=0.13.2
CARGO_ABOUT_VERSION=0.9.3
CARGO_CYCLONEDX_VERSION=0.5.9
MDBOOK_VERSION=0.5.4

# The compiler of Miri and of the thread sanitizer, which need one; nothing else does. By date: nightlies break.
NIGHTLY_TOOLCHAIN=nightly-2026-05-20

# What packages are built for (scripts/package.sh): the oldest glibc they run on, Debian 11's and Ubuntu 20.04's, which is
# also the oldest that ROS 2 supports. The LiveKit library itself needs 2.28.
PACKAGE_GLIBC=2.31
