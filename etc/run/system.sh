# The running system: three services and a front, all of whose files are in STATE. Sourced by ./run.
# shellcheck shell=bash

SERVICES=(user inventory order)
WAIT_S=30                            # for a part to answer; engines may take longer (etc/run/engines.sh)
URL=http://${ADDRESS/#0.0.0.0/127.0.0.1}:$PORT

program_of() {
    [[ -x $BUILD/$1 ]] || fail "$1 has not been built in $BUILD"
    printf '%s\n' "$BUILD/$1"
}

tandemctl() {
    "$(program_of tandemctl)" "$@"
}

# ---- parts: what is running, each known by its name ----

# instances_of SERVICE: the names of its processes. The first has the service's own.
instances_of() {
    local number
    printf '%s\n' "$1"
    for ((number = 2; number <= INSTANCES; number++)); do
        printf '%s-%s\n' "$1" "$number"
    done
}

# Written down for whoever stops it, who is not told again what it was started with.
choose_parts() {
    local name
    PARTS=(front)
    ! has_engine etcd || PARTS=(upstreams front)
    for name in order inventory user; do
        mapfile -t -O "${#PARTS[@]}" PARTS < <(instances_of "$name")
    done
    for name in "${WITH[@]}"; do
        mapfile -t -O "${#PARTS[@]}" PARTS < <("engine_${name}_parts")
    done
    printf '%s\n' "${PARTS[@]}" >"$STATE/run/parts"
}

# Those that were chosen last, as they are stopped.
recall_parts() {
    PARTS=(front order inventory user)
    [[ ! -s $STATE/run/parts ]] || mapfile -t PARTS <"$STATE/run/parts"
}

# ---- asking until it answers ----

# wait_for WHAT NAME COMMAND…: until the command succeeds; fails when part NAME ends, or after WAIT_S.
wait_for() {
    local what=$1 name=$2 deadline=$((SECONDS + WAIT_S))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! process_pid "$name" >/dev/null; then
            tail -n "+$(($(cat "$STATE/tmp/$name.line") + 1))" "$STATE/log/$name.log" | tail -n 15 >&2
            fail "$name ended while it was starting; see $STATE/log/$name.log"
        fi
        ((SECONDS < deadline)) || fail "$what did not come about in $WAIT_S s; see $STATE/log/$name.log"
        sleep 0.05
    done
}

answers() {
    curl --noproxy "*" -fsS --max-time 5 -o "$STATE/tmp/answer" "$1"
}

# Whatever ends a start half-way, nothing stays behind.
undo_start() {
    local latest=${LATEST:-}           # may have been started so lately that its pid file is not written
    trap '' INT TERM HUP
    trap - EXIT
    stop_parts
    [[ -z $latest ]] || kill "$latest" 2>/dev/null || true
    say "run: nothing was left running" >&2
    exit "$1"
}

port_is_free() {
    ! (exec 3<>"/dev/tcp/$1/$PORT") 2>/dev/null
}

# ---- parts ----

# start_service NAME SERVICE: one process of it, whose name it is. One of several is started again when it ends; without
# one that is the only one of its kind, the system has ended.
start_service() {
    local name=$1 service=$2 socket=$STATE/run/$1.sock
    local -a keeper=() own=()
    ! has_engine etcd || own=(--set "discovery.advertise=$URL fcgi:$socket")
    ((INSTANCES == 1)) || keeper=("$SOURCE/etc/run/keep.sh" "$STATE/run/$name.program" TERM)
    rm -f "$socket"
    process_spawn "$name" "${keeper[@]}" spawn-fcgi -n -s "$socket" -M 0660 -b 4096 -- \
        "$(program_of "tandem-$service")" --config "$STATE/conf/tandem.conf" "${own[@]}"
    wait_for "an answer of $name" "$name" tandemctl get "unix:$socket" /ping
}

start_services() {
    local service name
    for service in "$@"; do
        while read -r name; do
            start_service "$name" "$service"
        done < <(instances_of "$service")
    done
}

start_front() {
    port_is_free "$ADDRESS" || fail "port $PORT is taken by another program; choose one with --port"
    case $FRONT in
        nginx) process_spawn front nginx -e "$STATE/log/nginx.log" -c "$STATE/conf/front/nginx.conf" ;;
        lighttpd) process_spawn front lighttpd -D -f "$STATE/conf/front/lighttpd.conf" ;;
    esac
    wait_for "an answer on port $PORT" front answers "$URL/"
}

# What has the front's lists follow what etcd knows. Until then the front has those that are started here.
start_upstreams() {
    local lists=$STATE/conf/front/tandem-upstreams.conf
    process_spawn upstreams "$SOURCE/etc/run/keep.sh" "$STATE/run/upstreams.program" TERM "$(program_of tandemctl)" \
        front render "$FRONT" --watch --out "$lists" --pid-file "$STATE/run/$FRONT.pid" --config "$STATE/conf/tandem.conf"
    wait_for "the front's list of what is in etcd" upstreams grep -q "^# Made by tandemctl" "$lists"
}

stop_parts() {
    local name signal
    recall_parts
    for name in "${PARTS[@]}"; do
        signal=TERM
        [[ $name != front ]] || signal=$(front_signal)
        process_stop "$name" "$signal"
        rm -f "$STATE/run/$name.sock"
    done
    rm -f "$STATE/demo.json" "$STATE"/run/{nginx,lighttpd}.pid "$STATE/run/parts"
}

# What asks the front to end after the requests under way.
front_signal() {
    if [[ -f $STATE/conf/front/nginx.conf ]]; then printf 'QUIT\n'; else printf 'INT\n'; fi
}

count_running() {
    local name running=0
    for name in "${PARTS[@]}"; do
        ! process_pid "$name" >/dev/null || running=$((running + 1))
    done
    printf '%s\n' "$running"
}

# What another user has started cannot be told from something else, and must not be forgotten.
refuse_foreign() {
    local name
    for name in "${PARTS[@]}"; do
        ! process_is_foreign "$name" ||
            fail "what runs from $STATE was started by another user: do this as that user, or with sudo"
    done
}

# ---- the whole ----

# One ./run at a time changes a state folder; the lock goes with this process.
lock_state() {
    exec 9>"$STATE/run/lock"
    flock -w 60 9 || fail "another ./run is starting or stopping what is in $STATE"
}

raise_limits() {
    local hard
    hard=$(ulimit -Hn)
    FILES_MAX=65536
    [[ $hard == unlimited ]] || ((hard >= FILES_MAX)) || FILES_MAX=$hard
    ulimit -n "$FILES_MAX"
}

system_start() {
    local running name
    make_folders
    lock_state
    recall_parts
    refuse_foreign
    running=$(count_running)
    if ((running > 0)) && [[ ! -f $STATE/demo.json ]]; then
        say "An earlier start was cut off half-way; it is ended first"
        stop_parts
        running=0
    fi
    if ((running == ${#PARTS[@]})); then
        say "Already running from $STATE, at $(jq -r .url "$STATE/demo.json"), as it was started; ./run stop ends it"
        exit 0
    fi
    ((running == 0)) || fail "some of it runs already from $STATE (see ./run status); ./run stop ends it"
    port_is_free "$ADDRESS" || fail "port $PORT is taken by another program; choose one with --port"
    for name in tandemctl tandem-user tandem-inventory tandem-order; do
        program_of "$name" >/dev/null
    done
    raise_limits
    trap 'undo_start $?' EXIT
    trap 'exit 130' INT TERM HUP
    choose_parts
    for name in "${WITH[@]}"; do
        "engine_${name}_start"
    done
    make_front_files
    make_settings
    start_services user
    start_front
    seed_accounts
    start_services inventory order
    for name in "${SERVICES[@]}"; do
        wait_for "readiness of $name" "$name" answers "$URL/$name/readyz"
    done
    seed_items
    ! has_engine etcd || start_upstreams
    write_demo_json
    trap - EXIT INT TERM HUP
    exec 9>&-
    tell_where
}

system_stop() {
    if [[ ! -d $STATE/run ]]; then
        say "Nothing runs from $STATE"
        return
    fi
    lock_state
    recall_parts
    refuse_foreign
    if (($(count_running))); then
        stop_parts
        say "Stopped; the data stays in $STATE"
    else
        stop_parts
        say "Nothing runs from $STATE"
    fi
    exec 9>&-
}

# The traces are asked for at the sockets, which the settings do not tell.
system_trace() {
    local name
    local -a asked=()
    recall_parts
    for name in "${PARTS[@]}"; do
        [[ ! -S $STATE/run/$name.sock ]] || asked+=(--socket "${name%%-*}=unix:$STATE/run/$name.sock")
    done
    ((${#TRACE[@]})) || TRACE=(list)
    exec "$(program_of tandemctl)" trace "${TRACE[0]}" "${asked[@]}" "${TRACE[@]:1}"
}

system_status() {
    local name pid running
    recall_parts
    for name in "${PARTS[@]}"; do
        if pid=$(process_pid "$name"); then
            printf '%-14s runs     process %s\n' "$name" "$pid"
        else
            printf '%-14s stopped\n' "$name"
        fi
    done
    running=$(count_running)
    ((running != ${#PARTS[@]})) || exit 0
    ((running == 0)) || exit 1
    exit 3
}

# paint: colours the levels of the services' lines for a person's terminal (https://no-color.org). The files stay plain.
paint() {
    local esc=$'\e[' script="" row
    [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-} != dumb ]] || exec cat
    for row in debug=2 info=32 warning=33 error=31 'critical=1;31'; do
        script+="s/^([0-9TZ:.-]{27} )(${row%=*} *)/\\1$esc${row#*=}m\\2${esc}0m/;"
    done
    exec sed -u -E "$script"
}

# tell_ended: what has ended, each once. False when nothing else does what it did.
tell_ended() {
    local name missing=no
    for name in "${PARTS[@]}"; do
        if process_pid "$name" >/dev/null; then
            continue
        elif [[ " ${TOLD[*]} " != *" $name "* ]]; then
            say "$name has ended; see $STATE/log/$name.log" >&2
            TOLD+=("$name")
        fi
        runs_elsewhere "${name%%-*}" || missing=yes
    done
    [[ $missing == no ]]
}

# runs_elsewhere KIND: whether any process of a service runs.
runs_elsewhere() {
    local name
    for name in "${PARTS[@]}"; do
        [[ ${name%%-*} != "$1" ]] || ! process_pid "$name" >/dev/null || return 0
    done
    return 1
}

# Until a part ends that has no other to do its work, or until Ctrl-C.
system_follow() {
    tail -q -n 0 -F "$STATE"/log/*.log > >(paint) &
    local tail=$!
    local -a TOLD=()
    # shellcheck disable=SC2064
    trap "trap '' INT TERM HUP; kill $tail 2>/dev/null; wait $tail || true; system_stop; exit 0" INT TERM HUP
    while tell_ended; do
        sleep 1 &
        wait $! || true
    done
    kill "$tail"
    system_stop
    exit 1
}

# ---- what is told ----

write_demo_json() {
    local name pids='{}' sockets='{}' databases='{}'
    for name in "${PARTS[@]}"; do
        pids=$(jq -c --arg k "$name" --argjson v "$(process_pid "$name")" '.[$k] = $v' <<<"$pids")
    done
    for name in "${SERVICES[@]}"; do
        sockets=$(jq -c --arg k "$name" --arg v "$STATE/run/$name.sock" '.[$k] = $v' <<<"$sockets")
        databases=$(jq -c --arg k "$name" --arg v "$(database_of "$name")" '.[$k] = $v' <<<"$databases")
    done
    jq -n --arg url "$URL" --arg front "$FRONT" --arg admin "$ADMIN" --arg admin_password "$(cat "$ADMIN_PASSWORD")" \
        --arg customer "$CUSTOMER" --arg customer_password "$(cat "$CUSTOMER_PASSWORD")" \
        --arg bin "$BUILD" --arg conf "$STATE/conf" \
        --argjson pids "$pids" --argjson sockets "$sockets" --argjson db "$databases" '
        {$url, $front,
         admin: {email: $admin, password: $admin_password},
         customer: {email: $customer, password: $customer_password},
         $sockets, $pids, $bin, $conf, $db}' >"$STATE/demo.json.new"
    chmod 600 "$STATE/demo.json.new"
    mv "$STATE/demo.json.new" "$STATE/demo.json"
}

tell_where() {
    cat <<END

Tandem runs behind $FRONT.

  front page   $URL/
  items        $URL/v1/items
  health       $URL/user/readyz   $URL/order/readyz   $URL/inventory/readyz
  sign in as   $CUSTOMER   $(cat "$CUSTOMER_PASSWORD")
  admin        $ADMIN   $(cat "$ADMIN_PASSWORD")
  for scripts  $STATE/demo.json
  the story    ./run demo$([[ $STATE == "$PWD/state" ]] || printf ' --state %s' "$STATE")

END
}
