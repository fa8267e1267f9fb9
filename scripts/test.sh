#!/usr/bin/env bash
# `make test`: the list of what must be green, in one place. Cheap steps stand first.
# Counts in the last line are steps; each step's own runner prints its tests.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
. "$ROOT/scripts/steps.sh"

step "tools" scripts/tools.sh
step "formats, clippy, rustdoc" scripts/lint.sh
step "script tests" "$PYTHON_VENV" -m pytest -q -p no:cacheprovider tests/scripts
# Four at a time on two cores: the long ones mostly wait for a server.
step "Rust tests" env RUST_TEST_THREADS="${RUST_TEST_THREADS:-4}" cargo test --locked --workspace
step "header in sync" scripts/header.sh --check
step "comments of the headers" scripts/docs.sh --check
step "build" scripts/build.sh
step "C and C++ tests" ctest --test-dir build/cmake --output-on-failure --no-tests=error --timeout 120
step "installed package" scripts/test-consumer.sh
step "tutorial" scripts/test-tutorial.sh
step "demo" env CHECK=1 scripts/demo.sh
step "benchmark smoke" env SMOKE=1 scripts/bench.sh
finish
