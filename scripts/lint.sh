#!/usr/bin/env bash
# Checks without changing anything: formats, clippy, rustdoc, Python, shell syntax. All of it is also in `make test`.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
. "$ROOT/scripts/sources.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" venv
cargo fmt --all --check
cpp_sources | xargs -r "$TOOLS/venv/bin/clang-format" --dry-run -Werror
"$TOOLS/venv/bin/ruff" check --quiet .
"$TOOLS/venv/bin/ruff" format --quiet --check .
shell_sources | while read -r file; do bash -n "$file"; done
cargo clippy --locked --workspace --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --workspace --no-deps
