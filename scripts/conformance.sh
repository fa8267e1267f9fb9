#!/usr/bin/env bash
# Runs a conformance suite (a folder with pytest tests) against build/bin/fixture_robot in direct mode:
#   conformance.sh DIR      MARK="core" or "slow" narrows it to that pytest marker
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"

[ -n "${1:-}" ] || die "which suite? make conformance DIR=../shared/conformance"
suite="$(cd "$1" 2>/dev/null && pwd)" || die "no such folder: $1"
cd "$ROOT"
"$ROOT/scripts/tools.sh" apt venv livekit-library livekit-server
"$ROOT/scripts/build.sh"
robot="$ROOT/build/bin/fixture_robot"
[ -x "$robot" ] || die "$robot was not built"

export ROBOT_CMD="$robot" ROBOT_MODE=direct ROBOT_KIND=other
export CONFORMANCE_LOGS="${CONFORMANCE_LOGS:-$ROOT/build/conformance-logs}"
# The LiveKit SDK of the viewers brings its own library.
unset LIVEKIT_LIB_PATH
arguments=(-p no:cacheprovider -q)
[ -z "${MARK:-}" ] || arguments+=(-m "$MARK")
cd "$suite"
exec "$PYTHON_VENV" -m pytest "${arguments[@]}"
