# etcd, by which the services and the front find each instance: one member, or three when there are several instances, so
# that any one of them can be missed. Sourced by etc/run/engines.sh.
#
# It begins empty each time, since who is registered in it is there only while it runs.
# shellcheck shell=bash

MEMBERS=3                                # when there are several instances of each service
RECORD_TTL_MS=5000                       # how long an instance is listed that was killed

etcd_count() {
    one_or "$MEMBERS"
}

engine_etcd_parts() {
    number_parts etcd "$(etcd_count)"
}

# etcd_urls SEPARATOR PREFIX PORT…: with the number of each in place of a # in the prefix.
etcd_urls() {
    local separator=$1 prefix=$2 all="" number=0 port
    shift 2
    for port in "$@"; do
        number=$((number + 1))
        all+=$separator${prefix/\#/$number}http://127.0.0.1:$port
    done
    printf '%s\n' "${all#"$separator"}"
}

# For clients; the ports for other members come after them.
etcd_servers() {
    local -a ports
    mapfile -t ports < <(ports_of etcd "$(etcd_count)")
    etcd_urls " " "" "${ports[@]}"
}

etcd_member_start() {
    local client=http://127.0.0.1:${ports[$1 - 1]} peer=http://127.0.0.1:${ports[count + $1 - 1]}
    engine_spawn "etcd-$1" TERM etcd env -i "PATH=$PATH" etcd --name "tandem-$1" --data-dir "$STATE/etcd/$1" \
        --listen-client-urls "$client" --advertise-client-urls "$client" \
        --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" \
        --initial-cluster "$(etcd_urls , tandem-#= "${ports[@]:count}")" --initial-cluster-state new \
        --logger zap --log-outputs stderr --log-level warn
}

etcd_answers() {
    answers "http://127.0.0.1:$1/health"
}

engine_etcd_start() {
    command -v etcd >/dev/null || fail "etcd is not installed (package etcd-server)"
    start_members etcd "$(etcd_count)"
}
