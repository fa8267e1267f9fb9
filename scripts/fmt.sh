#!/usr/bin/env bash
# Formats everything in place: rustfmt (rustfmt.toml), clang-format (.clang-format), ruff (ruff.toml).
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/sources.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" venv
cargo fmt --all
cpp_sources | xargs -r "$TOOLS/venv/bin/clang-format" -i
"$TOOLS/venv/bin/ruff" check --quiet --fix .
"$TOOLS/venv/bin/ruff" format --quiet .
