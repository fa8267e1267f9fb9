#!/usr/bin/env bash
# Makes .tools/venv with the Python packages of scripts/requirements.txt, every one pinned by version and SHA-256.
# The venv serves the demo's viewer, the conformance suite and the fetching of wheels.
#   get-venv.sh package   makes .tools/venv-package of scripts/requirements-package.txt: the tools of `make package`
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case "${1:-}" in
"") NAME=venv REQ="$ROOT/scripts/requirements.txt" ;;
package) NAME=venv-package REQ="$ROOT/scripts/requirements-package.txt" ;;
*) die "usage: get-venv.sh [package]" ;;
esac
VENV="$TOOLS/$NAME"

make_venv() {
  local py want
  py="$(system_python)"
  # The folder is part of the stamp: a venv does not survive being moved.
  want="$(sha256_of "$REQ") $("$py" -c 'import sys; print(sys.version)' | tr '\n' ' ') $VENV"
  if [ -x "$VENV/bin/python" ] && [ "$(cat "$VENV/.telelink-stamp" 2>/dev/null)" = "$want" ]; then
    return 0
  fi
  say "installing the Python packages of scripts/$(basename "$REQ")"
  # Over an unfinished one: pip resumes with what is already there; over one of another Python or folder: from nothing.
  if ! "$py" -m venv "$VENV" >/dev/null 2>&1; then
    rm -rf "$VENV"
    "$py" -m venv "$VENV" >/dev/null ||
      die "'$py -m venv' failed; on Debian: apt-get install python3-venv (or run scripts/apt.sh as root)"
  fi
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary=:all: -r "$REQ" ||
    die "pip could not install $REQ from the package index"
  printf '%s' "$want" >"$VENV/.telelink-stamp"
}

with_lock "$NAME" make_venv
say "Python: $VENV/bin/python"
