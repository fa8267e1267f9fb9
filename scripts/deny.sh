#!/usr/bin/env bash
# Licences, bans and sources of every dependency (deny.toml). Part of test-full: building cargo-deny takes minutes.
# Advisories are not asked here: their database is a git repository, and this build reaches package registries only.
# With access to it: .tools/bin/cargo-deny check advisories
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

"$ROOT/scripts/tools.sh" cargo-deny
"$TOOLS/bin/cargo-deny" --locked check --hide-inclusion-graph licenses bans sources
