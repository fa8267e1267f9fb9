# What is tested beside make test: the list for scripts/test-full.sh and .ci/run. Source it after lib.sh, env.sh and steps.sh.
#   full_steps ci     what fits into CI after make test and the conformance suite: it was seen green there, and is quick
#   full_steps all    everything
# Each builds with flags or a compiler of its own, so each has its own target folder; where two can share one, they do.

full_asan() {
  # RUSTC_BOOTSTRAP lets the stable compiler take -Z flags, so that no second toolchain is needed.
  RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address CARGO_TARGET_DIR=target/asan \
    cargo test --locked --workspace --lib --target "$(rustc -vV | sed -n 's/^host: //p')"
}

full_steps() {
  local part="$1"
  # Miri and the thread sanitizer use a pinned nightly toolchain, which the scripts install with rustup.
  step "loom on queue, slot and mailbox" timeout 1800 scripts/test-loom.sh
  step "Miri on the C surface and the codec" timeout 3600 scripts/test-miri.sh
  step "Rust unit tests, address sanitizer" full_asan
  [ "$part" = all ] || return 0
  step "C and C++ tests, address and undefined-behaviour sanitizers" scripts/test-sanitized.sh address,undefined
  step "Rust unit tests, thread sanitizer" timeout 3600 scripts/test-tsan.sh
  step "C and C++ tests, thread sanitizer" timeout 3600 scripts/test-sanitized.sh thread
  step "fuzzing" env SECONDS_EACH="${SECONDS_EACH:-60}" scripts/fuzz.sh
  step "licences, bans, sources" scripts/deny.sh
  step "video: every format and size, a hundred tracks" timeout 3600 scripts/test-video.sh
  step "outages" scripts/outages.sh
  step "soak" env SECONDS=60 scripts/soak.sh
}
