# Redis, in which all processes have what they know of tokens: one server, or a cluster of three masters with a replica
# each when there are several instances, so that any one of them can be missed. Sourced by etc/run/engines.sh.
#
# It begins empty each time and writes nothing down, so that a server that was killed cannot bring back what was
# invalidated just before. What it forgets is asked for again.
# shellcheck shell=bash

NODES=6                                  # when there are several instances of each service
REPLICAS=1                               # of each master

redis_count() {
    one_or "$NODES"
}

engine_redis_parts() {
    number_parts redis "$(redis_count)"
}

redis_url() {
    local -a ports
    mapfile -t ports < <(ports_of redis "$(redis_count)")
    printf 'redis://%s\n' "$(redis_places , "${ports[@]}")"
}

# redis_places SEPARATOR PORT…
redis_places() {
    local separator=$1 all=""
    shift
    printf -v all "${separator}127.0.0.1:%s" "$@"
    printf '%s\n' "${all#"$separator"}"
}

redis_member_start() {
    local folder=$STATE/redis/$1
    local -a cluster=()
    as_user redis mkdir "$folder"
    ((count == 1)) || cluster=(--cluster-enabled yes --cluster-port "${ports[count + $1 - 1]}" --cluster-node-timeout 2000
        --cluster-require-full-coverage no --cluster-replica-validity-factor 0 --repl-diskless-sync-delay 0)
    engine_spawn "redis-$1" TERM redis redis-server --bind 127.0.0.1 --port "${ports[$1 - 1]}" --dir "$folder" \
        --save "" --appendonly no --maxmemory 64mb --maxmemory-policy allkeys-lru --loglevel warning "${cluster[@]}"
}

redis_answers() {
    redis-cli -p "$1" ping | grep -qx PONG
}

redis_is_whole() {
    redis-cli -p "$1" cluster info | tr -d '\r' | grep -qx cluster_state:ok
}

# The first are masters, the others replicas.
redis_make_cluster() {
    local number
    local -a ports
    mapfile -t ports < <(ports_of redis "$count")
    # shellcheck disable=SC2046
    redis-cli --cluster create $(redis_places " " "${ports[@]}") --cluster-replicas "$REPLICAS" --cluster-yes \
        >"$STATE/log/redis-cluster.log" 2>&1 || fail "the Redis Cluster could not be made; see $STATE/log/redis-cluster.log"
    for ((number = 1; number <= count; number++)); do
        WAIT_S=$ENGINE_WAIT_S wait_for "a whole Redis Cluster" "redis-$number" redis_is_whole "${ports[number - 1]}"
    done
}

engine_redis_start() {
    local count
    command -v redis-server >/dev/null || fail "Redis is not installed (package redis-server)"
    count=$(redis_count)
    start_members redis "$count"
    ((count == 1)) || redis_make_cluster
}
