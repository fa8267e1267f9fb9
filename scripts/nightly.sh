# The pinned nightly toolchain with Miri and the standard library's source. Source it after lib.sh; `nightly` is its name.

need rustup "the nightly toolchain of Miri and the thread sanitizer is installed with it"
nightly="$NIGHTLY_TOOLCHAIN"
if ! rustup component list --toolchain "$nightly" 2>/dev/null | grep -q '^rust-src (installed)' ||
  ! rustup component list --toolchain "$nightly" 2>/dev/null | grep -q '^miri-.*(installed)'; then
  say "installing $nightly with miri and rust-src"
  rustup toolchain install "$nightly" --profile minimal -c miri -c rust-src >&2 || die "rustup could not install $nightly"
fi
