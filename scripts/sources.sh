# Which files the formatters and linters look at: those git knows or would add. Source it after lib.sh.

# The generated headers have cbindgen's format.
cpp_sources() {
  git -C "$ROOT" ls-files --cached --others --exclude-standard -- '*.h' '*.hpp' '*.c' '*.cc' '*.cpp' ':!include/telelink/telelink.h' ':!include/telelink/testing.h'
}
shell_sources() { git -C "$ROOT" ls-files --cached --others --exclude-standard -- 'scripts/*.sh' '.ci/run'; }
