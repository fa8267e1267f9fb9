#!/usr/bin/env bash
# `make test-full`: make test, then what takes longer (scripts/full-steps.sh). FULL_ONLY=1 leaves out make test;
# FULL_ONLY=1 scripts/test-full.sh ci runs the part of it that CI runs.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
. "$ROOT/scripts/steps.sh"
. "$ROOT/scripts/full-steps.sh"

part="${1:-all}"
case "$part" in
all | ci) ;;
*) die "usage: test-full.sh [all|ci]" ;;
esac
[ "${FULL_ONLY:-0}" = 1 ] || step "make test" scripts/test.sh
full_steps "$part"
finish
