# What the tests of ./run have in common: a state folder of its own, on a tree that is built. Sourced, with SUITE set.
# shellcheck shell=bash

SOURCE=$(cd "${TANDEM_SRCDIR:-.}" && pwd)
TANDEM_BUILD=$(cd "${TANDEM_BUILDDIR:-.}" && pwd)
export TANDEM_BUILD
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/tandem-run-XXXXXX")
STATE=$FOLDER/state
tests=0 failures=0

clean_up() {
    "$SOURCE/run" stop --state "$STATE" >/dev/null 2>&1
    [[ -z ${BLOCKER:-} ]] || kill "$BLOCKER" 2>/dev/null
    rm -rf "$FOLDER"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# not_installed NAME…: those of the programs that are not there.
not_installed() {
    local name
    for name in "$@"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$name" >/dev/null || printf '%s is not installed\n' "$name"
    done
}

# skips_for WHY: ends the program when there is a reason, as a failure where nothing may be skipped.
skips_for() {
    [[ $1 ]] || return 0
    if [[ ${TANDEM_REQUIRE:-} ]]; then
        echo "Bail out! ${1//$'\n'/; }"
        exit 1
    fi
    echo "1..0 # SKIP ${1//$'\n'/; }"
    exit 0
}

# tap NAME COMMAND…
tap() {
    local name=$1
    shift
    tests=$((tests + 1))
    if "$@" >"$FOLDER/output" 2>&1; then
        printf 'ok %d - %s: %s\n' "$tests" "$SUITE" "$name"
    else
        failures=$((failures + 1))
        printf 'not ok %d - %s: %s\n' "$tests" "$SUITE" "$name"
        tail -n 30 "$FOLDER/output" | sed 's/^/#   /'
    fi
}

ends() {
    printf '1..%d\n' "$tests"
    ((failures == 0))
}

# Below those that engines choose from (etc/run/engines.sh).
free_port() {
    local port
    while port=$((10000 + RANDOM % 10000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

run() {
    "$SOURCE/run" "$@" --state "$STATE" </dev/null
}

demo_ends_paid() {
    run demo >"$FOLDER/story" || { cat "$FOLDER/story"; return 1; }
    tail -n 1 "$FOLDER/story" | grep -q 'is paid\.$'
}
