#!/bin/bash
# ./run on PostgreSQL, RabbitMQ, etcd and Redis, with two processes of each service: the story ends paid. With KILLS=1 (make
# check-engines) any one of its processes is killed too: nothing is lost, and orders go on within ten seconds.
set -u

SUITE=run_engines STALL_MAX_MS=10000
# shellcheck source=check/service/run.sh
. "$(dirname "$0")/run.sh"

# Why it cannot be tried here; nothing when it can.
missing() {
    local name
    not_installed nginx spawn-fcgi curl jq etcd redis-server
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || printf 'PostgreSQL is not installed\n'
    [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] || printf 'RabbitMQ is not installed\n'
    for name in POSTGRESQL RABBITMQ REDIS; do
        grep -q "^#define HAVE_$name 1" "$TANDEM_BUILD/config.h" || printf 'it is built without %s\n' "$name"
    done
}

starts() {
    run start --no-install --port "$PORT" --with redis,etcd,rabbitmq,postgresql --instances 2
}

is_on_engines() {
    local file=$STATE/demo.json
    jq -e '.db | all(startswith("postgresql:"))' "$file" &&
        jq -e '.pids | has("order-2") and has("user-2") and has("inventory-2") and has("postgresql")' "$file" &&
        jq -e '.pids | has("etcd-3") and has("redis-6") and has("rabbitmq-3") and has("upstreams")' "$file" &&
        grep -q 'amqp://' "$STATE/conf/tandem.conf" && grep -q 'driver = "etcd"' "$STATE/conf/tandem.conf" &&
        grep -q 'driver = "redis"' "$STATE/conf/tandem.conf" && [[ ! -e $STATE/data/order.db && ! -e $STATE/data/bus.db ]]
}

# ---- kills ----

takes_clients() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# A node that is back takes clients: the next to be killed is not the second of its kind that is missing.
nodes_are_back() {
    local port
    while read -r port; do
        within 60 takes_clients "$port" || { echo "nobody is back at port $port"; return 1; }
    done < <(sed -n '2p;4p;6p' "$STATE/rabbitmq-ports"; head -n 3 "$STATE/run/etcd.ports"; head -n 6 "$STATE/run/redis.ports")
}

# survives_without PART [SENT]: an order placed just before it is killed, and one just after, with a token that no process has
# seen yet, are paid in time; when SENT is given, without being sent more often.
survives_without() {
    local part=$1 most=${2:-1000} before=$FOLDER/before after=$FOLDER/after number=$RANDOM id took_ms sent
    buy "engines-$part-$number-before" >"$before" &
    kill -KILL "$(program_of "$part")"
    within 10 sign_in || return 1
    buy "engines-$part-$number-after" >"$after" || { cat "$after"; return 1; }
    wait $! || { cat "$before"; return 1; }
    while read -r id took_ms sent; do
        echo "$part: order $id was paid after $took_ms ms, and sent $sent times"
        ((took_ms < STALL_MAX_MS && sent <= most)) || return 1
        BOUGHT+=("$id")
    done < <(cat "$before" "$after")
    nodes_are_back || return 1
    printf '# without %s: paid after %s and %s ms\n' "$part" "$(cut -d' ' -f2 "$before")" "$(cut -d' ' -f2 "$after")" >&3
}

nothing_is_lost() {
    local id
    for id in "${BOUGHT[@]}"; do
        [[ $(order_status "$id") == paid ]] || { echo "order $id is $(order_status "$id")"; return 1; }
    done
}

# Whose accounts are others: the services' tokens of before are of nobody there.
starts_without_engines() {
    run start --no-install --port "$PORT" && demo_ends_paid
}

stop_leaves_nothing() {
    run stop && no_process_is_left
}

skips_for "$(missing)"
exec 3>&1
BOUGHT=()
PORT=$(free_port)
tap "it starts on PostgreSQL, RabbitMQ, etcd and Redis" starts
tap "that is what it is on" is_on_engines
tap "the story ends with a paid order" demo_ends_paid
if [[ ${KILLS:-0} != 0 ]]; then
    sign_in
    for part in order order-2 inventory inventory-2 user user-2 rabbitmq-1 rabbitmq-2 rabbitmq-3 postgresql; do
        tap "without $part, killed, orders are paid within ten seconds" survives_without "$part"
    done
    for part in etcd-1 etcd-2 etcd-3 redis-1 redis-2 redis-3 redis-4 redis-5 redis-6 upstreams; do
        tap "without $part, killed, no order fails" survives_without "$part" 1
    done
    tap "nothing is lost" nothing_is_lost
fi
tap "stop leaves nothing behind" stop_leaves_nothing
tap "the same folder starts on SQLite" starts_without_engines
tap "stop leaves nothing of that" stop_leaves_nothing
ends
