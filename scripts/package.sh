#!/usr/bin/env bash
# `make package`: what people install, into build/package/: a .tar.gz and the Debian packages libtelelink0 and libtelelink-dev
# for x86_64 and aarch64, a bill of materials, SHA256SUMS. ARCHITECTURES="amd64" makes fewer.
#
# The libraries are linked by zig (cargo-zigbuild) against the glibc of scripts/versions.sh, older than this machine's, and
# checked: symbols and SONAME against tests/abi, the glibc that libtelelink, the tools and LiveKit's library really need.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

architectures="${ARCHITECTURES:-amd64 arm64}"
out="$ROOT/build/package"
work="$ROOT/build/package-work"
export CARGO_TARGET_DIR="${PACKAGE_TARGET_DIR:-$ROOT/target/package}"

machine_of() {
  case "$1" in
  amd64) echo x86_64 ;;
  arm64) echo aarch64 ;;
  *) die "no packages for '$1'; amd64 and arm64 are known" ;;
  esac
}

"$ROOT/scripts/tools.sh" apt venv venv-package cargo-about cargo-cyclonedx
rm -rf "$out" "$work"
mkdir -p "$out" "$work/docs"

say "licences of the crates"
# cargo-about looks at the sources of all crates; offline it asks no git server for what one of them left out.
cargo fetch --locked
# telelink-view's crates are those of the library and some more.
"$TOOLS/bin/cargo-about" generate --locked --offline --fail -c packaging/about.toml --manifest-path client/Cargo.toml \
  -o "$work/docs/THIRD-PARTY-LICENSES.txt" packaging/about.hbs
say "bill of materials"
"$ROOT/scripts/sbom.sh" "$work/docs/telelink.cdx.json"
cp "$work/docs/telelink.cdx.json" "$out/"
cp CHANGELOG.md "$work/docs/"

for architecture in $architectures; do
  machine="$(machine_of "$architecture")"
  triple="$machine-unknown-linux-gnu"
  toolchain=()
  binutils=""
  livekit="$TOOLS/livekit/$LIVEKIT_VERSION"
  if [ "$machine" = "$(uname -m)" ]; then
    "$ROOT/scripts/tools.sh" livekit-library
  else
    [ "$machine" = aarch64 ] || die "packages for $architecture are built on $machine; from here only arm64's are"
    "$ROOT/scripts/tools.sh" apt-cross livekit-library-aarch64
    toolchain=(--toolchain "$ROOT/cmake/aarch64-linux-gnu.cmake")
    binutils=aarch64-linux-gnu-
    livekit="$livekit-$machine"
  fi
  "$ROOT/scripts/zigbuild.sh" "$machine" -p telelink -p telelink-client --lib --bins
  built="$CARGO_TARGET_DIR/$triple/release"
  prebuilt="$work/$architecture"
  mkdir -p "$prebuilt"
  cp "$built/libtelelink.so" "$built/libtelelink.a" "$built/telelink-view" "$prebuilt/"
  # cargo strips no static library, and the standard library in it comes with its own debug information.
  "${binutils}strip" --strip-debug "$prebuilt/libtelelink.a" "$prebuilt/telelink-view"

  tests/abi/check_symbols.sh "$prebuilt/libtelelink.so"
  tests/abi/check_elf.sh "$PACKAGE_GLIBC" "$machine" "$prebuilt/libtelelink.so" "$prebuilt/telelink-view" "$livekit/liblivekit_ffi.so"
  "${binutils}gcc" -std=c11 -fsyntax-only -I include tests/abi/layout.c || die "the structs are not laid out as tests/abi/layout.h says"

  for kind in DEB TGZ; do
    # Debian has a folder of libraries for each kind of machine, and documents in one named after the package.
    folders=(-DCMAKE_INSTALL_LIBDIR=lib)
    [ "$kind" = TGZ ] || folders=(-DCMAKE_INSTALL_PREFIX=/usr "-DCMAKE_INSTALL_LIBDIR=lib/$machine-linux-gnu"
      -DCMAKE_INSTALL_DOCDIR=share/doc/libtelelink0 -DTELELINK_INSTALL_DEVDOCDIR=share/doc/libtelelink-dev)
    cmake -S . -B "$work/$architecture-$kind" -G Ninja "${toolchain[@]}" -DCMAKE_BUILD_TYPE=Release \
      -DTELELINK_BUILD_TESTS=OFF -DTELELINK_BUILD_EXAMPLES=OFF -DTELELINK_INSTALL_STATIC=ON \
      -DTELELINK_PREBUILT_DIR="$prebuilt" -DTELELINK_LIVEKIT_LIBRARY="$livekit/liblivekit_ffi.so" \
      -DTELELINK_PACKAGE_ARCHITECTURE="$architecture" -DTELELINK_PACKAGE_GLIBC="$PACKAGE_GLIBC" \
      -DTELELINK_PACKAGE_DOCS="$work/docs" -DTELELINK_PACKAGE_VIEW="$prebuilt/telelink-view" "${folders[@]}" >"$work/configure.log" 2>&1 ||
      { cat "$work/configure.log" >&2 && die "cmake could not configure the $kind package"; }
    (umask 022 && cmake --build "$work/$architecture-$kind" && cd "$work/$architecture-$kind" &&
      cpack -G "$kind" -B "$work/$architecture-$kind/out") >"$work/cpack.log" 2>&1 ||
      { cat "$work/cpack.log" >&2 && die "cpack could not make the $kind package"; }
    find "$work/$architecture-$kind/out" -maxdepth 1 \( -name '*.deb' -o -name '*.tar.gz' \) -exec mv {} "$out/" \;
  done
done

(cd "$out" && sha256sum -- *.deb *.tar.gz *.json >SHA256SUMS)
say "packages in build/package/:"
(cd "$out" && ls -sh1 >&2)
