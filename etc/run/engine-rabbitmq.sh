# RabbitMQ, in place of the embedded bus: one broker, or a cluster when there are several instances, so that any one of
# them can be missed. Sourced by etc/run/engines.sh.
# shellcheck shell=bash

RABBITMQ=/usr/lib/rabbitmq/bin
BROKERS=3                                # when there are several instances of each service

rabbitmq_count() {
    one_or "$BROKERS"
}

# Its nodes find each other through epmd, which is a process of ours too, for all of them.
engine_rabbitmq_parts() {
    number_parts rabbitmq "$(rabbitmq_count)"
    printf 'rabbitmq-names\n'
}

# rabbitmq_ports: one for names, then two for each node, for clients and for other nodes; kept with the data, since a
# node's place in the cluster goes with them.
rabbitmq_ports() {
    local file=$STATE/rabbitmq-ports number
    if [[ ! -s $file ]]; then
        for ((number = 0; number <= 2 * BROKERS; number++)); do
            free_port
        done >"$file"
    fi
    printf '%s\n' "$(<"$file")"
}

rabbitmq_url() {
    local -a ports
    local number hosts=""
    mapfile -t ports < <(rabbitmq_ports)
    for ((number = 1; number <= $(rabbitmq_count); number++)); do
        hosts+=,127.0.0.1:${ports[2 * number - 1]}
    done
    printf 'amqp://guest@%s/\n' "${hosts#,}"
}

# rabbitmq_settings NUMBER: a node's own. Its password is as good as none: only this machine is listened to, on which
# whoever can read the folder could read it. A new node joins the first.
rabbitmq_settings() {
    printf 'listeners.tcp.local = 127.0.0.1:%s\n' "${ports[2 * $1 - 1]}"
    printf 'log.console = true\nlog.console.level = warning\nlog.file = false\n'
    printf 'vm_memory_high_watermark.relative = 0.2\ndisk_free_limit.absolute = 100MB\n'
    printf 'cluster_formation.peer_discovery_backend = classic_config\n'
    printf 'cluster_formation.classic_config.nodes.1 = tandem-1@localhost\n'
}

rabbitmq_environment() {
    printf '%s\n' "HOME=$STATE/rabbitmq" "RABBITMQ_CONF_ENV_FILE=/dev/null" "RABBITMQ_NODENAME=tandem-$1@localhost" \
        "RABBITMQ_CONFIG_FILE=$STATE/rabbitmq/node-$1.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$STATE/rabbitmq/none" \
        "RABBITMQ_ENABLED_PLUGINS_FILE=$STATE/rabbitmq/plugins" "RABBITMQ_MNESIA_BASE=$STATE/rabbitmq/data" \
        "RABBITMQ_LOG_BASE=$STATE/rabbitmq/log" "RABBITMQ_LOGS=-" "RABBITMQ_GENERATED_CONFIG_DIR=$STATE/rabbitmq/made" \
        "RABBITMQ_DIST_PORT=${ports[2 * $1]}" "ERL_EPMD_PORT=${ports[0]}" "ERL_EPMD_ADDRESS=127.0.0.1" \
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 1:1" \
        "RUNNING_UNDER_SYSTEMD=true" "LANG=C.UTF-8" "PATH=$PATH"   # the first has the script become the broker
}

rabbitmq_answers() {
    local -a environment
    mapfile -t environment < <(rabbitmq_environment "$1")
    as_user rabbitmq env -i "${environment[@]}" "$RABBITMQ/rabbitmq-diagnostics" -q check_running
}

engine_rabbitmq_start() {
    local number
    local -a ports
    [[ -x $RABBITMQ/rabbitmq-server ]] || fail "RabbitMQ is not installed (package rabbitmq-server)"
    mapfile -t ports < <(rabbitmq_ports)
    engine_folder rabbitmq rabbitmq
    [[ -s $STATE/rabbitmq/.erlang.cookie ]] || head -c 15 /dev/urandom | base64 | tr '+/' xy >"$STATE/rabbitmq/.erlang.cookie"
    printf '[].\n' >"$STATE/rabbitmq/plugins"
    printf 'guest\n' >"$STATE/conf/rabbitmq.password"
    for ((number = 1; number <= $(rabbitmq_count); number++)); do
        rabbitmq_settings "$number" >"$STATE/rabbitmq/node-$number.conf"
    done
    ((EUID != 0)) || chown rabbitmq:rabbitmq "$STATE"/rabbitmq/{.erlang.cookie,plugins,node-*.conf}
    chmod 400 "$STATE/rabbitmq/.erlang.cookie"
    engine_spawn rabbitmq-names TERM rabbitmq epmd -port "${ports[0]}" -address 127.0.0.1
    if [[ ! -d $STATE/rabbitmq/data ]]; then       # others can only join what is there
        rabbitmq_node_start 1
        rabbitmq_node_wait 1
    fi
    for ((number = 1; number <= $(rabbitmq_count); number++)); do
        process_pid "rabbitmq-$number" >/dev/null || rabbitmq_node_start "$number"
    done
    for ((number = 1; number <= $(rabbitmq_count); number++)); do
        rabbitmq_node_wait "$number"
    done
}

rabbitmq_node_start() {
    local -a environment
    mapfile -t environment < <(rabbitmq_environment "$1")
    engine_spawn "rabbitmq-$1" TERM rabbitmq env -i "${environment[@]}" "$RABBITMQ/rabbitmq-server"
}

rabbitmq_node_wait() {
    WAIT_S=$ENGINE_WAIT_S wait_for "an answer of RabbitMQ" "rabbitmq-$1" rabbitmq_answers "$1"
}
