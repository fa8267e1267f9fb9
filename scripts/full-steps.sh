# What is tested beside make test: the list for scripts/test-full.sh and .ci/run. Source it after lib.sh, env.sh and steps.sh.
#   full_steps ci     what fits into CI after make test and the conformance suite: quick, and seen green
#   full_steps all    everything
# Each builds with flags or a compiler of its own, so each has its own target folder; where two can share one, they do.
# Miri and the thread sanitizer use a pinned nightly toolchain, and the oldest Rust is one of its own: the scripts install
# them with rustup.

# LiveKit linked in: compiled, not linked, for the crates' build would download libwebrtc; DOCS_RS tells it not to. A folder of
# its own, because what that build leaves behind must not be found by one that means to link. Clippy is `cargo check` and more.
full_livekit_static() {
  DOCS_RS=1 CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/livekit-static" \
    cargo clippy --locked -p telelink --features livekit-static --all-targets -- -D warnings
}

full_steps() {
  local part="$1" limit=3600
  [ "$part" = all ] || limit=600
  step "livekit-static type-checked" full_livekit_static
  step "oldest Rust" timeout "$limit" scripts/msrv.sh
  step "loom on queue, slot and mailbox" timeout "$limit" scripts/test-loom.sh
  step "Miri on the C surface and the codec" timeout "$limit" scripts/test-miri.sh
  [ "$part" = all ] || return 0
  step "Rust unit tests, address sanitizer" timeout "$limit" scripts/test-asan.sh
  step "C and C++ tests, address and undefined-behaviour sanitizers" \
    timeout "$limit" scripts/test-sanitized.sh address,undefined
  step "Rust unit tests, thread sanitizer" timeout "$limit" scripts/test-tsan.sh
  step "C and C++ tests, thread sanitizer" timeout "$limit" scripts/test-sanitized.sh thread
  step "licences, bans, sources" timeout "$limit" scripts/deny.sh
  step "fuzzing" env SECONDS_EACH="${SECONDS_EACH:-60}" scripts/fuzz.sh
  step "manual" timeout "$limit" scripts/docs.sh
  step "video: every format and size, a hundred tracks" timeout "$limit" scripts/test-video.sh
  step "outages" timeout "$limit" scripts/outages.sh
  step "FetchContent from git, cargo included" env FROM_GIT=1 timeout "$limit" scripts/test-consumer.sh
  step "packages" timeout "$limit" scripts/package.sh
  step "packages in clean Debian roots" timeout "$limit" scripts/test-package.sh
  step "aarch64 under qemu" timeout "$limit" scripts/test-aarch64.sh
  step "soak" env SECONDS=60 timeout "$limit" scripts/soak.sh
}
