# What the tests of ./run have in common: a state folder of its own, on a tree that is built. Sourced, with SUITE set.
# shellcheck shell=bash

SOURCE=$(cd "${TANDEM_SRCDIR:-.}" && pwd)
TANDEM_BUILD=$(cd "${TANDEM_BUILDDIR:-.}" && pwd)
export TANDEM_BUILD
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/tandem-run-XXXXXX")
STATE=$FOLDER/state
PORT="" TOKEN=""                           # a test's front, and who asks it
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

# within SECONDS COMMAND…: asks until it succeeds.
within() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        read -r -t 0.1 <> <(:) || true
    done
}

# api METHOD PATH BODY [KEY]: the body of a good answer.
api() {
    curl -fsS --max-time 5 -X "$1" -H 'Content-Type: application/json' ${TOKEN:+-H "Authorization: Bearer $TOKEN"} \
        ${4:+-H "Idempotency-Key: $4"} --data-binary "$3" "http://127.0.0.1:$PORT$2" 2>/dev/null
}

sign_in() {
    TOKEN=$(jq -c .customer "$STATE/demo.json" | api POST /v1/sessions "$(cat)" | jq -r .token)
    [[ $TOKEN ]]
}

now_ms() {
    printf '%s\n' "$((${EPOCHREALTIME/./} / 1000))"
}

order_status() {
    curl -fsS --max-time 5 -H "Authorization: Bearer $TOKEN" "http://127.0.0.1:$PORT/v1/orders/$1" 2>/dev/null | jq -r .status
}

# buy KEY: places an order, again with its key until that is answered, and waits until it is paid. Says which one it is, how
# many milliseconds that took, and how often it was sent.
buy() {
    local begun id="" deadline sent=0
    begun=$(now_ms)
    deadline=$((begun + 60000))
    while [[ -z $id ]] && (($(now_ms) < deadline)); do
        sent=$((sent + 1))
        id=$(api POST /v1/orders '{"lines":[{"sku":"tea-assam","quantity":1}]}' "$1" | jq -r .id)
        [[ $id ]] || read -r -t 0.05 <> <(:)
    done
    while [[ $(order_status "$id") != paid ]]; do
        (($(now_ms) < deadline)) || { echo "order $id is $(order_status "$id")"; return 1; }
        read -r -t 0.05 <> <(:)
    done
    printf '%s %s %s\n' "$id" "$(($(now_ms) - begun))" "$sent"
}

# The process of a part, and not what keeps it.
program_of() {
    if [[ -s $STATE/run/$1.program ]]; then cut -d' ' -f1 "$STATE/run/$1.program"; else cut -d' ' -f1 "$STATE/run/$1.pid"; fi
}

# Not one process whose command line names the state folder, front workers included.
no_process_is_left() {
    ! grep -lsaF -f <(printf '%s\n' "$STATE") /proc/[0-9]*/cmdline
}
