# Runs named steps one after the other, with their times, and sums up. Source it after lib.sh; scripts/test.sh shows how.
#   step "name" command...      runs the command in the checkout, without standard input; after a failure the later
#                               steps are not run
#   finish                      prints the table and, last and alone on its line, "N passed, N failed"
# KEEP_GOING=1 runs the later steps after a failure all the same.
# STEPS_BUDGET=N begins no step after N seconds; the table says which were left out.

STEPS_PASSED=0
STEPS_FAILED=0
STEPS_TABLE=""
STEPS_STARTED=$SECONDS

steps_note() { STEPS_TABLE+="$(printf '  %-9s %6s  %s' "$@")"$'\n'; }

step() {
  local name="$1" started=$SECONDS result
  shift
  if [ "$STEPS_FAILED" -gt 0 ] && [ "${KEEP_GOING:-0}" != 1 ]; then
    steps_note "not run" "" "$name"
    return 0
  fi
  if [ $((SECONDS - STEPS_STARTED)) -ge "${STEPS_BUDGET:-1000000}" ]; then
    steps_note "left out" "" "$name (the $STEPS_BUDGET s of this run are used up)"
    return 0
  fi
  printf '\n=== %s\n' "$name"
  if (cd "$ROOT" && "$@") </dev/null; then
    STEPS_PASSED=$((STEPS_PASSED + 1)) result=ok
  else
    STEPS_FAILED=$((STEPS_FAILED + 1)) result=FAILED
  fi
  steps_note "$result" "$((SECONDS - started)) s" "$name"
  printf -- '--- %s: %s, %d s\n' "$name" "$result" $((SECONDS - started))
}

finish() {
  printf '\n%s  %d s in all\n%d passed, %d failed\n' "$STEPS_TABLE" $((SECONDS - STEPS_STARTED)) "$STEPS_PASSED" "$STEPS_FAILED"
  [ "$STEPS_FAILED" = 0 ] && [ "$STEPS_PASSED" -gt 0 ]
}
