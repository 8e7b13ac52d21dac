# The running system: three services and a front, all of whose files are in STATE. Sourced by ./run.
# shellcheck shell=bash

SERVICES=(user inventory order)
PARTS=(front order inventory user)   # as they are stopped
URL=http://${ADDRESS/#0.0.0.0/127.0.0.1}:$PORT

program_of() {
    [[ -x $BUILD/$1 ]] || fail "$1 has not been built in $BUILD"
    printf '%s\n' "$BUILD/$1"
}

tandemctl() {
    "$(program_of tandemctl)" "$@"
}

# ---- asking until it answers ----

# wait_for WHAT NAME COMMAND…: until the command succeeds; fails when part NAME ends, or after half a minute.
wait_for() {
    local what=$1 name=$2 deadline=$((SECONDS + 30))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! process_pid "$name" >/dev/null; then
            tail -n "+$(($(cat "$STATE/tmp/$name.line") + 1))" "$STATE/log/$name.log" | tail -n 15 >&2
            fail "$name ended while it was starting; see $STATE/log/$name.log"
        fi
        ((SECONDS < deadline)) || fail "$what did not come about in 30 s; see $STATE/log/$name.log"
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

# ---- files ----

make_folders() {
    umask 077
    mkdir -p "$STATE"/{conf,data,log,run,tmp} "$STATE/conf"/{front,www}
}

# render FILE: puts in the values for the @NAME@s of a template.
render() {
    local user="" access="$STATE/log/access.log"
    if [[ $FRONT == nginx ]]; then
        access+=" tandem"
        ((EUID != 0)) || user="user root;"
    fi
    sed -e "s|@ADDRESS@|$ADDRESS|g" -e "s|@PORT@|$PORT|g" -e "s|@URL@|$URL|g" -e "s|@STATE@|$STATE|g" \
        -e "s|@RUN@|$STATE/run|g" -e "s|@CONF@|$STATE/conf/front|g" -e "s|@WWW@|$STATE/conf/www|g" \
        -e "s|@USER@|$user|g" -e "s|@WORKERS@|auto|g" -e "s|@ACCESS_LOG@|$access|g" \
        -e "s|@FILES_MAX@|$FILES_MAX|g" -e "s|@CONNECTIONS_MAX@|$((FILES_MAX / 2 - 64))|g" \
        -e "s|@BODY_MAX_BYTES@|1048576|g" -e "s|@BODY_MAX_KIB@|1024|g" "$1"
}

make_front_files() {
    local file
    rm -f "$STATE"/conf/front/*
    for file in "$SOURCE/etc/$FRONT"/*; do
        case $file in
            *.in) render "$file" >"$STATE/conf/front/$(basename "$file" .in)" ;;
            *) [[ -e $file.in ]] || cp "$file" "$STATE/conf/front/" ;;
        esac
    done
    render "$SOURCE/etc/www/index.html.in" >"$STATE/conf/www/index.html"
}

make_settings() {
    local name
    {
        printf '# Made anew by each ./run start.\n'
        printf 'bus = { url = "embedded:%s/data/bus.db"; };\n' "$STATE"
        printf 'user = { url = "%s"; };\n' "$URL"
        printf 'log = { format = "text"; };\n'
        printf 'service = {\n'
        for name in "${SERVICES[@]}"; do
            printf '    %s = { db = { path = "%s"; }; user = { token_file = "%s"; }; };\n' \
                "$name" "$STATE/data/$name.db" "$STATE/conf/$name.token"
        done
        printf '};\n'
    } >"$STATE/conf/tandem.conf"
    cp "$SOURCE"/etc/tandem.*.conf "$STATE/conf/"   # for whoever has TANDEM_ENV set
}

# ---- parts ----

start_service() {
    local name=$1 socket=$STATE/run/$1.sock
    rm -f "$socket"
    process_spawn "$name" spawn-fcgi -n -s "$socket" -M 0660 -b 4096 -- "$(program_of "tandem-$name")" \
        --config "$STATE/conf/tandem.conf"
    wait_for "an answer of $name" "$name" tandemctl get "unix:$socket" /ping
}

start_front() {
    port_is_free "$ADDRESS" || fail "port $PORT is taken by another program; choose one with --port"
    case $FRONT in
        nginx) process_spawn front nginx -e "$STATE/log/nginx.log" -c "$STATE/conf/front/nginx.conf" ;;
        lighttpd) process_spawn front lighttpd -D -f "$STATE/conf/front/lighttpd.conf" ;;
    esac
    wait_for "an answer on port $PORT" front answers "$URL/"
}

stop_parts() {
    local name signal
    for name in "${PARTS[@]}"; do
        signal=TERM
        [[ $name != front ]] || signal=$(front_signal)
        process_stop "$name" "$signal"
        rm -f "$STATE/run/$name.sock"
    done
    rm -f "$STATE/demo.json" "$STATE"/run/{nginx,lighttpd}.pid
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
    make_front_files
    make_settings
    start_service user
    start_front
    seed_accounts
    for name in inventory order; do
        start_service "$name"
    done
    for name in "${SERVICES[@]}"; do
        wait_for "readiness of $name" "$name" answers "$URL/$name/readyz"
    done
    seed_items
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
    local -a sockets=()
    for name in "${SERVICES[@]}"; do
        sockets+=(--socket "$name=unix:$STATE/run/$name.sock")
    done
    ((${#TRACE[@]})) || TRACE=(list)
    exec "$(program_of tandemctl)" trace "${TRACE[0]}" "${sockets[@]}" "${TRACE[@]:1}"
}

system_status() {
    local name pid running
    for name in front "${SERVICES[@]}"; do
        if pid=$(process_pid "$name"); then
            printf '%-10s runs     process %s\n' "$name" "$pid"
        else
            printf '%-10s stopped\n' "$name"
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

# Until a part ends, or until Ctrl-C.
system_follow() {
    tail -q -n 0 -F "$STATE"/log/*.log > >(paint) &
    local tail=$! name
    # shellcheck disable=SC2064
    trap "trap '' INT TERM HUP; kill $tail 2>/dev/null; wait $tail || true; system_stop; exit 0" INT TERM HUP
    while (($(count_running) == ${#PARTS[@]})); do
        sleep 1 &
        wait $! || true
    done
    kill "$tail"
    for name in "${PARTS[@]}"; do
        process_pid "$name" >/dev/null || say "$name has ended; see $STATE/log/$name.log" >&2
    done
    system_stop
    exit 1
}

# ---- what is told ----

write_demo_json() {
    local name pids='{}' sockets='{}' databases='{}'
    for name in front "${SERVICES[@]}"; do
        pids=$(jq -c --arg k "$name" --argjson v "$(process_pid "$name")" '.[$k] = $v' <<<"$pids")
    done
    for name in "${SERVICES[@]}"; do
        sockets=$(jq -c --arg k "$name" --arg v "$STATE/run/$name.sock" '.[$k] = $v' <<<"$sockets")
        databases=$(jq -c --arg k "$name" --arg v "$STATE/data/$name.db" '.[$k] = $v' <<<"$databases")
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
