#!/usr/bin/env bash
# Follows docs/tutorial.md literally (scripts/tutorial.py). After `make build` it takes less than a minute.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" apt venv livekit-library livekit-server
exec "$TOOLS/venv/bin/python" scripts/tutorial.py
