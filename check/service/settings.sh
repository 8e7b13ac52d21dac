# What the tests of settings have in common: a user service of its own, asked without a web server. Sourced.
# shellcheck shell=bash

BUILD=$(cd "${TANDEM_BUILDDIR:-.}" && pwd)
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/tandem-conf-XXXXXX")
CONF=$FOLDER/etc/tandem.conf
SOCKET=unix:$FOLDER/user.sock
LOG=$FOLDER/service.log
PATIENCE_S=60
SERVICE=
tests=0 failures=0
unset TANDEM_ENV TANDEM_CONF_PUBLIC_KEY_FILE
mkdir "$FOLDER/etc"

clean_up() {
    [[ -z $SERVICE ]] || kill -KILL "$SERVICE" 2>/dev/null
    rm -rf "$FOLDER"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# tap NAME COMMAND…
tap() {
    local name=$1
    shift
    tests=$((tests + 1))
    if "$@" >"$FOLDER/output" 2>&1; then
        printf 'ok %d - %s\n' "$tests" "$name"
    else
        failures=$((failures + 1))
        printf 'not ok %d - %s\n' "$tests" "$name"
        { cat "$FOLDER/output"; tail -n 15 "$LOG" 2>/dev/null; } | sed 's/^/#   /'
    fi
}

ends() {
    printf '1..%d\n' "$tests"
    ((failures == 0))
}

# until_true COMMAND…: asks until it holds, for a while.
until_true() {
    local deadline=$((SECONDS + PATIENCE_S))
    until "$@"; do
        ((SECONDS < deadline)) || { echo "not in time: $*"; return 1; }
        read -r -t 0.02 <> <(:) || true
    done
}

# What every file of a test has; more is given.
settings() {
    printf 'bus = { url = "embedded:%s/bus.db"; };\n' "$FOLDER"
    printf 'server = { listen = "%s"; };\ndb = { path = "%s/user.db"; };\n' "$SOCKET" "$FOLDER"
    printf '%s\n' "$@"
}

# replace FILE: with what is on standard input, whole or not at all.
replace() {
    cat >"$1.tmp" && mv -f "$1.tmp" "$1"
}

ask() {
    "$BUILD/tandemctl" get "$SOCKET" "$1" 2>/dev/null
}

answers() {
    ask /ping | grep -q pong
}

# has PATH TEXT: whether the answer has it.
has() {
    ask "$1" | grep -qF -- "$2"
}

# Further arguments are the service's.
# shellcheck disable=SC2120
start_service() {
    "$BUILD/tandem-user" --config "$CONF" "$@" </dev/null >>"$LOG" 2>&1 &
    SERVICE=$!
    until_true answers
}

stop_service() {
    kill -TERM "$SERVICE" && wait "$SERVICE"
    local status=$?
    SERVICE=
    return "$status"
}
