#!/bin/bash
# ./run on PostgreSQL and RabbitMQ, with two processes of each service: the story ends paid. With KILLS=1 (make
# check-engines) any one of its processes is killed too: nothing is lost, and orders go on within ten seconds.
set -u

SUITE=run_engines STALL_MAX_MS=10000
# shellcheck source=check/service/run.sh
. "$(dirname "$0")/run.sh"

# Why it cannot be tried here; nothing when it can.
missing() {
    local name
    not_installed nginx spawn-fcgi curl jq
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || printf 'PostgreSQL is not installed\n'
    [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] || printf 'RabbitMQ is not installed\n'
    for name in POSTGRESQL RABBITMQ; do
        grep -q "^#define HAVE_$name 1" "$TANDEM_BUILD/config.h" || printf 'it is built without %s\n' "$name"
    done
}

starts() {
    run start --no-install --port "$PORT" --with postgresql,rabbitmq --instances 2
}

is_on_engines() {
    local file=$STATE/demo.json
    jq -e '.db | all(startswith("postgresql:"))' "$file" &&
        jq -e '.pids | has("order-2") and has("user-2") and has("inventory-2") and has("postgresql")' "$file" &&
        grep -q 'amqp://' "$STATE/conf/tandem.conf" && [[ ! -e $STATE/data/order.db && ! -e $STATE/data/bus.db ]]
}

# ---- kills ----

now_ms() {
    printf '%s\n' "$((${EPOCHREALTIME/./} / 1000))"
}

# api METHOD PATH BODY [KEY]: the body of a good answer.
api() {
    curl -fsS --max-time 5 -X "$1" -H 'Content-Type: application/json' ${TOKEN:+-H "Authorization: Bearer $TOKEN"} \
        ${4:+-H "Idempotency-Key: $4"} --data-binary "$3" "http://127.0.0.1:$PORT$2" 2>/dev/null
}

order_status() {
    curl -fsS --max-time 5 -H "Authorization: Bearer $TOKEN" "http://127.0.0.1:$PORT/v1/orders/$1" 2>/dev/null | jq -r .status
}

# buy KEY: places an order, again with its key until that is answered, and waits until it is paid; says how long it took.
buy() {
    local begun id="" deadline
    begun=$(now_ms)
    deadline=$((begun + 60000))
    while [[ -z $id ]] && (($(now_ms) < deadline)); do
        id=$(api POST /v1/orders '{"lines":[{"sku":"tea-assam","quantity":1}]}' "$1" | jq -r .id)
        [[ $id ]] || read -r -t 0.05 <> <(:)
    done
    while [[ $(order_status "$id") != paid ]]; do
        (($(now_ms) < deadline)) || { echo "order $id is $(order_status "$id")"; return 1; }
        read -r -t 0.05 <> <(:)
    done
    printf '%s %s\n' "$id" "$(($(now_ms) - begun))"
}

sign_in() {
    TOKEN=$(jq -c .customer "$STATE/demo.json" | api POST /v1/sessions "$(cat)" | jq -r .token)
    [[ $TOKEN ]]
}

# The process of a part, and not what keeps it.
program_of() {
    if [[ -s $STATE/run/$1.program ]]; then cut -d' ' -f1 "$STATE/run/$1.program"; else cut -d' ' -f1 "$STATE/run/$1.pid"; fi
}

# A node that is back takes clients.
brokers_are_back() {
    local tenths port
    sed -n '2p;4p;6p' "$STATE/rabbitmq-ports" | while read -r port; do
        for ((tenths = 0; tenths < 600; tenths++)); do
            ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
            read -r -t 0.1 <> <(:)
        done
    done
}

# survives_without PART: an order placed just before it is killed, and one just after, are paid in time.
survives_without() {
    local took id before after number=$RANDOM
    before=$FOLDER/before
    buy "engines-$1-$number-before" >"$before" &
    kill -KILL "$(program_of "$1")"
    after=$(buy "engines-$1-$number-after") || { echo "$after"; return 1; }
    wait $! || { cat "$before"; return 1; }
    for took in "$(<"$before")" "$after"; do
        echo "$1: order ${took% *} was paid after ${took#* } ms"
        ((${took#* } < STALL_MAX_MS)) || return 1
        BOUGHT+=("${took% *}")
    done
    brokers_are_back
    printf '%s\n' "# without $1: paid after $(cut -d' ' -f2 "$before") and ${after#* } ms" >&3
}

nothing_is_lost() {
    local id
    for id in "${BOUGHT[@]}"; do
        [[ $(order_status "$id") == paid ]] || { echo "order $id is $(order_status "$id")"; return 1; }
    done
}

stop_leaves_nothing() {
    run stop || return 1
    ! grep -lsaF -f <(printf '%s\n' "$STATE") /proc/[0-9]*/cmdline
}

skips_for "$(missing)"
exec 3>&1
BOUGHT=()
PORT=$(free_port)
tap "it starts on PostgreSQL and RabbitMQ" starts
tap "all of its data is there" is_on_engines
tap "the story ends with a paid order" demo_ends_paid
if [[ ${KILLS:-0} != 0 ]]; then
    sign_in
    for part in order order-2 inventory inventory-2 user user-2 rabbitmq-1 rabbitmq-2 rabbitmq-3 postgresql; do
        tap "without $part, killed, orders are paid within ten seconds" survives_without "$part"
    done
    tap "nothing is lost" nothing_is_lost
fi
tap "stop leaves nothing behind" stop_leaves_nothing
ends
