#!/usr/bin/env bash
# Compiles everything that users build with the oldest Rust that Cargo.toml promises; rustup installs it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

need rustup "the oldest Rust that must work is installed with it"
oldest="$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)"
[ -n "$oldest" ] || die "Cargo.toml has no rust-version"
if ! rustup run "$oldest" rustc --version >/dev/null 2>&1; then
  say "installing Rust $oldest"
  rustup toolchain install "$oldest" --profile minimal >&2 || die "rustup could not install Rust $oldest"
fi
CARGO_TARGET_DIR="${MSRV_TARGET_DIR:-target/msrv}" cargo "+$oldest" check --locked --workspace
