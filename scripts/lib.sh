# Shared by the shell scripts in this folder: paths, messages, the tool lock, checksums. Source it, do not run it.
# Every pinned version and hash of a tool stands in scripts/versions.sh; Python packages stand in scripts/requirements.txt.

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
TOOLS="$ROOT/.tools"
export ROOT TOOLS
. "$ROOT/scripts/versions.sh"

say() { printf '%s\n' "telelink: $*" >&2; }
die() {
  printf '%s\n' "telelink: error: $*" >&2
  exit 1
}
need() { command -v "$1" >/dev/null 2>&1 || die "'$1' is not installed; $2"; }

# with_lock NAME COMMAND...: runs the command while holding .tools/NAME.lock, so that two makes in one checkout do not
# write the same folder. The lock ends with the process, however it ends.
with_lock() {
  local name="$1" fd
  shift
  need flock "it comes with util-linux"
  mkdir -p "$TOOLS"
  exec {fd}>"$TOOLS/$name.lock"
  if ! flock -n "$fd"; then
    say "another make is installing $name, waiting for it"
    flock "$fd"
  fi
  # The descriptor is not handed on: a daemon that outlives the command must not keep the lock.
  ("$@" {fd}>&-)
  exec {fd}>&-
}

sha256_of() { sha256sum "$1" | cut -d' ' -f1; }

# check_sha256 FILE EXPECTED WHAT: ends the script when the file is not exactly the pinned one.
check_sha256() {
  local got
  got="$(sha256_of "$1")"
  [ "$got" = "$2" ] || die "$3: SHA-256 is $got, expected $2; the file was not used"
}

# python3 of the machine, as far as it serves: only its venv module is used, everything else runs in .tools/venv.
system_python() {
  local py="${PYTHON:-python3}"
  need "$py" "telelink's tools need Python 3.10 or newer"
  "$py" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$py is $("$py" --version 2>&1); telelink's tools need Python 3.10 or newer (set PYTHON=/path/to/python3)"
  printf '%s' "$py"
}
