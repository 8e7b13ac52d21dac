# What the system may run on instead of SQLite and the embedded bus: private instances from Debian's packages, whose
# files are in STATE, whose ports are of their own, and which no system service knows of. Sourced by ./run.
#
# An engine is a name in ENGINES and the functions engine_NAME_start, which returns when it answers, and
# engine_NAME_stop_signal, what its program is asked to end with.
# shellcheck shell=bash

# shellcheck disable=SC2034
ENGINES=(postgresql rabbitmq)            # ./run asks
ENGINE_WAIT_S=120                        # for it to answer, on a slow machine that starts a whole cluster
BROKERS=3                                # of RabbitMQ, when there are several instances of each service

has_engine() {
    [[ " ${WITH[*]} " == *" $1 "* ]]
}

# What an engine runs as: neither of them runs as root, so that root has Debian's user for it do it. That user may read
# what it passes on its way to a folder of its own, wherever STATE is.
AS_USER=(--init-groups "--securebits=+no_setuid_fixup" "--inh-caps=-all,+dac_read_search"
         "--ambient-caps=-all,+dac_read_search")

as_user() {
    local user=$1
    shift
    if ((EUID == 0)); then
        setpriv "${AS_USER[@]}" --reuid "$user" --regid "$user" "$@"
    else
        "$@"
    fi
}

# engine_folder NAME USER: makes its folder, for it alone.
engine_folder() {
    mkdir -p "$STATE/$1"
    ((EUID != 0)) || chown "$2:$2" "$STATE/$1"
    chmod 700 "$STATE/$1"
}

# engine_spawn PART SIGNAL USER COMMAND…: in the background, and again when it ends.
engine_spawn() {
    local part=$1 signal=$2 user=$3
    shift 3
    local -a command=("$@")
    if ((EUID == 0)); then
        command=(setpriv "${AS_USER[@]}" --reuid "$user" --regid "$user" "$@")
    fi
    process_spawn "$part" "$SOURCE/etc/run/keep.sh" "$STATE/run/$part.program" "$signal" "${command[@]}"
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# ---- PostgreSQL: behind a socket in a folder that only its user and root can enter ----

postgresql_bin() {
    local -a found
    mapfile -t found < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V)
    [[ -x ${found[-1]}/postgres ]] || fail "PostgreSQL is not installed (package postgresql)"
    printf '%s\n' "${found[-1]}"
}

postgresql_url() {
    printf 'postgresql://tandem@/tandem_%s?host=%s\n' "$1" "$STATE/postgresql"
}

engine_postgresql_start() {
    local bin data=$STATE/postgresql/data name
    bin=$(postgresql_bin)
    engine_folder postgresql postgres
    if [[ ! -s $data/PG_VERSION ]]; then
        as_user postgres "$bin/initdb" -D "$data" -U tandem -A trust -E UTF8 --locale=C >"$STATE/log/postgresql.log" 2>&1 ||
            fail "the database cluster could not be made; see $STATE/log/postgresql.log"
    fi
    engine_spawn postgresql INT postgres "$bin/postgres" -D "$data" -c "listen_addresses=" \
        -c "unix_socket_directories=$STATE/postgresql" -c unix_socket_permissions=0700 -c max_connections=200
    WAIT_S=$ENGINE_WAIT_S wait_for "an answer of PostgreSQL" postgresql "$bin/pg_isready" -q -h "$STATE/postgresql" -U tandem -d postgres
    for name in "${SERVICES[@]}"; do
        "$bin/psql" -h "$STATE/postgresql" -U tandem -d postgres -Atqc \
            "SELECT 1 FROM pg_database WHERE datname = 'tandem_$name'" | grep -qx 1 ||
            "$bin/createdb" -h "$STATE/postgresql" -U tandem -T template0 "tandem_$name"
    done
}

# ---- RabbitMQ: one broker, or a cluster when there are several instances, so that any one of them can be missed ----

RABBITMQ=/usr/lib/rabbitmq/bin

rabbitmq_count() {
    if ((INSTANCES > 1)); then printf '%s\n' "$BROKERS"; else printf '1\n'; fi
}

# Its nodes find each other through epmd, which is a process of ours too, for all of them.
rabbitmq_parts() {
    local number
    for ((number = 1; number <= $(rabbitmq_count); number++)); do
        printf 'rabbitmq-%s\n' "$number"
    done
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

# engine_parts NAME: the names of its processes.
engine_parts() {
    case $1 in
        postgresql) printf 'postgresql\n' ;;
        rabbitmq) rabbitmq_parts ;;
    esac
}
