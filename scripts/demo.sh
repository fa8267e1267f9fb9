#!/usr/bin/env bash
# `make demo`: gets the tools, builds, then hands over to scripts/demo.py. CHECK=1 makes it a 10 s test with a verdict,
# ROBOT="command" shows another robot than the C++ examples (one that takes LIVEKIT_URL and LIVEKIT_TOKEN).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/env.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" apt venv livekit-library livekit-server
if [ -z "${ROBOT:-}" ]; then
  "$ROOT/scripts/tools.sh" apt-demo
  "$ROOT/scripts/build.sh"
fi
arguments=()
[ -z "${ROBOT:-}" ] || arguments+=(--robot "$ROBOT")
[ "${CHECK:-0}" != 1 ] || arguments+=(--check)
exec "$PYTHON_VENV" scripts/demo.py "${arguments[@]}"
