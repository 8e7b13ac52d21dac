# What the tree tests have in common: findings become lines of TAP. Sourced.
# shellcheck shell=bash

cd "${TANDEM_SRCDIR:-.}" || exit 1
tests=0 failures=0

# holds NAME COMMAND…: runs what prints findings, a line each; the test passes when there are none.
holds() {
    local findings
    findings=$("${@:2}" 2>&1)
    tests=$((tests + 1))
    if [[ -z $findings ]]; then
        printf 'ok %d - %s\n' "$tests" "$1"
    else
        failures=$((failures + 1))
        printf 'not ok %d - %s\n' "$tests" "$1"
        printf '#   %s\n' "${findings//$'\n'/$'\n#   '}"
    fi
}

# skips NAME WHY: a failure where nothing may be skipped.
skips() {
    if [[ ${TANDEM_REQUIRE:-} ]]; then
        holds "$1" printf '%s\n' "$2"
    else
        tests=$((tests + 1))
        printf 'ok %d - %s # SKIP %s\n' "$tests" "$1" "$2"
    fi
}

ends() {
    printf '1..%d\n' "$tests"
    ((failures == 0))
}

# The C files of the tree, generated ones left out.
sources() {
    find apps shared check \( -name '*.c' -o -name '*.h' \) -not -name '*_migrations.c' | LC_ALL=C sort
}
