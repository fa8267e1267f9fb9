#!/usr/bin/env bash
# What a program or library of a package may need of the machine it is installed on:
#   check_elf.sh GLIBC MACHINE FILE...     for example: check_elf.sh 2.31 x86_64 libtelelink.so.0
# No symbol of a glibc newer than GLIBC, no library but those of glibc and libgcc_s, no search path of the machine it was
# built on, no executable stack. readelf reads files of every machine, so aarch64 is checked on x86_64 too.
set -euo pipefail
export LC_ALL=C
[ $# -ge 3 ] || { echo "usage: check_elf.sh GLIBC MACHINE FILE..." >&2 && exit 2; }
floor="$1"
case "$2" in
x86_64) machine='Advanced Micro Devices X86-64' ;;
aarch64) machine='AArch64' ;;
*) echo "check_elf.sh: unknown machine '$2'" >&2 && exit 2 ;;
esac
shift 2

failed=0
bad() {
  echo "$1: $2" >&2
  failed=1
}

# Libraries of glibc itself, and the unwinder that every C++ program has.
allowed='^(libc\.so\.6|libm\.so\.6|libdl\.so\.2|libpthread\.so\.0|librt\.so\.1|libgcc_s\.so\.1|ld-linux[a-z0-9-]*\.so\.[0-9]+)$'

for file in "$@"; do
  if ! header="$(readelf --wide --file-header "$file" 2>&1)" || ! grep -q '^ELF Header' <<<"$header"; then
    bad "$file" "is no ELF file that can be read"
    continue
  fi
  is="$(sed -n 's/^ *Machine: *//p' <<<"$header")"
  [ "$is" = "$machine" ] || bad "$file" "is for '$is', not '$machine'"

  # "Name: GLIBC_2.17" in the table of needed versions; versions that are no number (GLIBC_PRIVATE, GLIBC_ABI_DT_RELR) are
  # private ones or marks of newer glibcs.
  versions="$(readelf --wide --version-info "$file" | sed -n 's/^.*Name: \(GLIBC_[A-Za-z0-9_.]*\) .*$/\1/p' | sort -uV)"
  while read -r version; do
    [ -n "$version" ] || continue
    if ! grep -qE '^GLIBC_[0-9.]+$' <<<"$version" ||
      [ "$(printf '%s\n' "${version#GLIBC_}" "$floor" | sort -V | tail -1)" != "$floor" ]; then
      symbols="$(readelf --wide --dyn-syms "$file" | awk -v "at=@$version" 'substr($8, index($8, "@")) == at { sub(/@.*/, "", $8); print $8 }' | xargs)"
      bad "$file" "needs $version, the floor is $floor: $symbols"
    fi
  done <<<"$versions"

  dynamic="$(readelf --wide --dynamic "$file")"
  while read -r library; do
    [ -z "$library" ] || grep -qE "$allowed" <<<"$library" || bad "$file" "needs the library $library"
  done < <(sed -n 's/^.*(NEEDED).*\[\(.*\)\]$/\1/p' <<<"$dynamic")
  path="$(sed -n 's/^.*(\(RPATH\|RUNPATH\)).*\[\(.*\)\]$/\2/p' <<<"$dynamic")"
  [ -z "$path" ] || bad "$file" "has the search path $path"
  ! readelf --wide --program-headers "$file" | grep -qE 'GNU_STACK.* RWE ' || bad "$file" "wants an executable stack"

  [ "$failed" = 1 ] || echo "$(basename "$file"): needs $(tail -1 <<<"${versions:-no glibc}"), the floor is $floor"
done
exit "$failed"
