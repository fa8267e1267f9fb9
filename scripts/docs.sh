#!/usr/bin/env bash
# Builds the user's manual into build/docs/: the book of docs/ (mdBook), and below api/ the references of C and C++
# (Doxygen) and Rust (rustdoc). A warning of any of them, and a link to nowhere, is an error.
# --check: only whether Doxygen is content with the comments of the headers; that is quick.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$ROOT"

"$ROOT/scripts/apt.sh" docs
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

if [ "${1:-}" = --check ]; then
  out="$work"
else
  # The book comes first: mdbook empties its folder.
  "$ROOT/scripts/tools.sh" venv mdbook
  out="$ROOT/build/docs"
  rm -rf "$out"
  say "the book"
  "$TOOLS/bin/mdbook" build docs 2>&1 | tee "$work/log" >&2
  # It leaves warnings standing.
  ! grep -q WARN "$work/log" || die "mdbook warned"
  # It takes everything in docs/ along.
  rm "$out/book.toml"
fi

# What the references begin with, and names that no header says anything about.
cat >"$work/c.dox" <<'EOF'
/** @mainpage
 * Everything is in telelink.h. The rules that hold for all of it, and how to begin: <a href="../../c-api.html">C API</a> in
 * the manual. testing.h is a room inside the process, for tests without a server.
 */
EOF
cat >"$work/cpp.dox" <<'EOF'
/** @mainpage
 * Begin with telelink::Context, telelink::Channel, telelink::Session and telelink::SessionOptions. Functions and enums are
 * in the namespace telelink. The rules that hold for all of it: <a href="../../cpp-api.html">C++ API</a> in the manual.
 * telelink::testing is a room inside the process, for tests without a server.
 *
 * @namespace telelink
 * Links a robot to remote viewers: the C++17 interface.
 *
 * @namespace telelink::testing
 * A room server and viewers inside the process, to test a robot with.
 */
EOF

# doxygen_of NAME INPUT: settings of its own on standard input.
doxygen_of() {
  say "the $1 reference"
  mkdir -p "$out/api/$1"
  {
    cat <<EOF
PROJECT_NUMBER         = $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
INPUT                  = $2 $work/$1.dox
OUTPUT_DIRECTORY       = $out/api/$1
HTML_OUTPUT            = .
GENERATE_LATEX         = NO
GENERATE_TREEVIEW      = YES
HTML_COLORSTYLE_SAT    = 40
FULL_PATH_NAMES        = YES
STRIP_FROM_PATH        = include cpp/include $work
STRIP_FROM_INC_PATH    = include cpp/include
JAVADOC_AUTOBRIEF      = YES
SORT_MEMBER_DOCS       = NO
DISTRIBUTE_GROUP_DOC   = YES
MACRO_EXPANSION        = YES
HAVE_DOT               = NO
WARN_AS_ERROR          = FAIL_ON_WARNINGS
QUIET                  = YES
ALIASES               += threading="@par Threads^^"
EOF
    cat
  } | doxygen - || die "doxygen is not content with the comments of $2"
}

# The lists of statuses after @return, one a line in the header, are tables here. The typedef that cbindgen puts after an enum
# would be a second thing of that name.
status='TELELINK_STATUS_[A-Z0-9_]*'
doxygen_of c include/telelink <<EOF
PROJECT_NAME           = "telelink, C API"
PROJECT_BRIEF          = "Links a robot to remote viewers through any LiveKit server"
FILE_PATTERNS          = *.h *.dox
OPTIMIZE_OUTPUT_FOR_C  = YES
TYPEDEF_HIDES_STRUCT   = YES
PREDEFINED             = TELELINK_API= __STDC_VERSION__=202311L
EXPAND_ONLY_PREDEF     = YES
GENERATE_TAGFILE       = $out/api/c.tag
INPUT_FILTER           = "sed -e 's/^\\( *\\* \\)@return \\($status\\) /\\1@retval \\2 /' -e 's/^\\( *\\*\\)  *\\($status\\)  */\\1 @retval \\2 /' -e '/^typedef enum telelink_/d'"
EOF
doxygen_of cpp cpp/include/telelink <<EOF
PROJECT_NAME           = "telelink, C++ API"
PROJECT_BRIEF          = "Links a robot to remote viewers through any LiveKit server"
FILE_PATTERNS          = *.hpp *.dox
EXCLUDE                = cpp/include/telelink/detail
EXCLUDE_SYMBOLS        = telelink::detail telelink::detail::* telelink::testing::detail telelink::testing::detail::*
HIDE_UNDOC_RELATIONS   = YES
TAGFILES               = $out/api/c.tag=../c
EOF
rm "$out/api/c.tag"
[ "${1:-}" != --check ] || exit 0

say "the Rust reference"
# Only these two crates, whatever else was documented here before.
rm -rf "${CARGO_TARGET_DIR:-target}/doc"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --locked --no-deps --lib -p telelink -p telelink-client
cp -r "${CARGO_TARGET_DIR:-target}/doc" "$out/api/rust"

"$TOOLS/venv/bin/python" scripts/check_links.py "$out"
say "the manual: $out/index.html"
