#!/bin/bash
# ./run on etcd and Redis, with two processes of each service, behind either web server: etcd has them all, the front's
# lists are what it has, and follow one that goes and one that comes; tokens are in Redis; what is killed is kept.
set -u

SUITE=run_discovery
# shellcheck source=check/service/run.sh
. "$(dirname "$0")/run.sh"

SERVICES=(user order inventory) INSTANCES=2
MEMBERS=3 NODES=6                          # of etcd, of Redis: the first ports are for clients
FOLLOWED_S=30 KEPT_S=30                    # generous: a busy machine

missing() {
    not_installed nginx lighttpd spawn-fcgi curl jq etcd redis-server redis-cli
    grep -q '^#define HAVE_REDIS 1' "$TANDEM_BUILD/config.h" || printf 'it is built without REDIS\n'
}

# starts FRONT INSTANCES
starts() {
    INSTANCES=$2
    run start --no-install --port "$PORT" --front "$1" --with etcd,redis --instances "$2" || return 1
    TOKEN=""
    sign_in
}

ports_of() {
    head -n "$2" "$STATE/run/$1.ports"
}

# ---- who is where ----

own_sockets() {
    local service number
    for service in "${SERVICES[@]}"; do
        printf '%s\n' "$STATE/run/$service.sock"
        for ((number = 2; number <= INSTANCES; number++)); do
            printf '%s\n' "$STATE/run/$service-$number.sock"
        done
    done | sort
}

base64_of() {
    printf '%s' "$1" | base64
}

# What etcd has, a line each: the instance, then its record; whichever of its members can be asked.
etcd_records() {
    local port
    while read -r port; do
        curl -fsS --max-time 2 "http://127.0.0.1:$port/v3/kv/range" \
            -d "{\"key\":\"$(base64_of /services/)\",\"range_end\":\"$(base64_of /services0)\"}" 2>/dev/null >"$FOLDER/range" || continue
        jq -r '.kvs[]? | "\(.key | @base64d) \(.value | @base64d)"' "$FOLDER/range"
        return
    done < <(ports_of etcd "$MEMBERS")
}

etcd_sockets() {
    etcd_records | sed -nE 's/.*"scheme":"fcgi","address":"([^"]*)".*/\1/p' | sort -u
}

front_sockets() {
    grep -oE "$STATE/run/[a-z0-9-]+\.sock" "$STATE/conf/front/tandem-upstreams.conf" | sort -u
}

etcd_has_all() {
    local fronts
    diff <(own_sockets) <(etcd_sockets) || return 1
    fronts=$(etcd_records | grep -c '"scheme":"http","address":"127.0.0.1","port":'"$PORT")
    ((fronts == ${#SERVICES[@]} * INSTANCES))
}

front_lists_what_etcd_has() {
    grep -q '^# Made by tandemctl' "$STATE/conf/front/tandem-upstreams.conf" && diff <(etcd_sockets) <(front_sockets)
}

# By discovery there are as many users as processes; by user.url there would be one.
user_is_found_by_etcd() {
    local part
    for part in order inventory; do
        "$TANDEM_BUILD/tandemctl" get "unix:$STATE/run/$part.sock" /endpoints | tee "$FOLDER/endpoints" |
            jq -e --argjson count "$INSTANCES" '.registered and (.sees[] | select(.service == "user") |
                .source == "etcd" and .known and (.instances | length) == $count)' || return 1
    done
    cat "$FOLDER/endpoints"
}

lists() {
    etcd_sockets | grep -qx "$1" && front_sockets | grep -qx "$1"
}

lists_not() {
    ! etcd_sockets | grep -qx "$1" && ! front_sockets | grep -qx "$1"
}

# ---- tokens ----

# The token's key is the SHA-256 of it, at one of the masters.
redis_has_token() {
    local key port
    [[ $(curl -s -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $TOKEN" "http://127.0.0.1:$PORT/v1/orders") == 200 ]] ||
        return 1
    key="token:{$(printf '%s' "$TOKEN" | sha256sum | cut -d' ' -f1)}"
    while read -r port; do
        ! redis-cli -p "$port" --scan | grep -qxF "$key" || return 0
    done < <(redis_ports)
    return 1
}

redis_ports() {
    if ((INSTANCES > 1)); then ports_of redis "$NODES"; else ports_of redis 1; fi
}

# Three masters with a replica each, and nothing else.
redis_is_a_cluster() {
    local nodes
    nodes=$(redis-cli -p "$(redis_ports | head -n 1)" cluster nodes)
    echo "$nodes"
    (($(grep -cE ' (myself,)?master - .* connected ' <<<"$nodes") == 3)) &&
        (($(grep -cE ' (myself,)?slave .* connected' <<<"$nodes") == 3))
}

redis_is_whole() {
    local port
    while read -r port; do
        redis-cli -p "$port" cluster info | tr -d '\r' | grep -qx cluster_state:ok || return 1
    done < <(redis_ports)
}

etcd_is_whole() {
    local port
    while read -r port; do
        curl -fsS --max-time 2 -o /dev/null "http://127.0.0.1:$port/health" || return 1
    done < <(ports_of etcd "$MEMBERS")
}

# ---- what is killed ----

is_another_than() {
    local now
    now=$(program_of "$2")
    [[ $now && $now != "$1" ]] && kill -0 "$now" 2>/dev/null
}

# is_kept PART [COMMAND…]: it is killed, comes again, and the command succeeds then.
is_kept() {
    local part=$1 before
    shift
    before=$(program_of "$part")
    kill -KILL "$before" || return 1
    within "$KEPT_S" is_another_than "$before" "$part" || return 1
    ((!$#)) || within "$KEPT_S" "$@"
}

# With what keeps it, so that it does not come again. Orders go on meanwhile; while lighttpd begins anew one may have to be
# sent again.
killed_is_followed() {
    local socket=$STATE/run/$1.sock
    lists "$socket" || return 1
    kill -KILL "$(cut -d' ' -f1 "$STATE/run/$1.pid")" "$(program_of "$1")" || return 1
    buy "without-$1-$RANDOM" && within "$FOLLOWED_S" lists_not "$socket" && front_lists_what_etcd_has && demo_ends_paid
}

# By many at once: lighttpd has another one answer only while the first of those that have nothing to do has something.
newcomer_is_asked() {
    curl -fsS --parallel --parallel-max 32 "http://127.0.0.1:$PORT/v1/items?limit=[1-100]" >"$FOLDER/items" || return 1
    grep -q 'route=/v1/items ' "$FOLDER/newcomer.log"
}

# As doc/discovery.md has it: one more process, by hand; asked to end, it is gone at once.
added_is_followed() {
    local socket=$STATE/run/inventory-9.sock newcomer status=0
    "$TANDEM_BUILD/tandem-inventory" --config "$STATE/conf/tandem.conf" --set "server.listen=unix:$socket" \
        --set "discovery.advertise=http://127.0.0.1:$PORT fcgi:$socket" >"$FOLDER/newcomer.log" 2>&1 &
    newcomer=$!
    within "$FOLLOWED_S" lists "$socket" && within "$FOLLOWED_S" newcomer_is_asked || status=1
    kill -TERM "$newcomer"
    wait "$newcomer" || status=1
    ((status == 0)) && within "$FOLLOWED_S" lists_not "$socket"
}

all_run() {
    run status
}

stop_leaves_nothing() {
    run stop && no_process_is_left
}

skips_for "$(missing)"
PORT=$(free_port)
tap "it starts on etcd and Redis" starts nginx 2
tap "status is 0 while all runs" all_run
tap "the story ends with a paid order" demo_ends_paid
tap "etcd has a record of each process" etcd_has_all
tap "order and inventory find user by etcd" within "$FOLLOWED_S" user_is_found_by_etcd
tap "nginx lists what etcd has" front_lists_what_etcd_has
tap "Redis is a cluster of three masters and three replicas" redis_is_a_cluster
tap "a token that was asked about is in Redis" within "$FOLLOWED_S" redis_has_token
tap "a member of etcd that is killed is kept" is_kept etcd-1 etcd_is_whole
tap "a node of Redis that is killed is kept" is_kept redis-1 redis_is_whole
tap "what writes the lists is kept when killed" is_kept upstreams
tap "a process that is killed is kept" is_kept order
tap "after all of that the story ends with a paid order" demo_ends_paid
tap "a token that is asked about again is in Redis again" within "$FOLLOWED_S" redis_has_token
tap "a process killed for good is followed" killed_is_followed order-2
tap "one added by hand is followed, and asked" added_is_followed
tap "stop leaves nothing behind" stop_leaves_nothing
tap "the same folder starts behind lighttpd" starts lighttpd 2
tap "etcd has a record of each process again" etcd_has_all
tap "lighttpd lists what etcd has" front_lists_what_etcd_has
tap "a process killed for good is followed by lighttpd" killed_is_followed inventory-2
tap "one added by hand is followed by lighttpd, and asked" added_is_followed
tap "stop leaves nothing behind lighttpd" stop_leaves_nothing
tap "the same folder starts with one process of each" starts nginx 1
MEMBERS=1
tap "the one etcd has the three" etcd_has_all
tap "nginx lists the three" front_lists_what_etcd_has
tap "a token is in the one Redis" within "$FOLLOWED_S" redis_has_token
tap "stop leaves nothing of those" stop_leaves_nothing
ends
