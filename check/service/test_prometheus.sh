#!/bin/bash
# A real Prometheus with the shipped configuration asks the running system, while it is used. All it is told is well-formed,
# and every question that the dashboards and rules ask of it has an answer.
#
# The questions are taken from the shipped files: panels from the JSON of the dashboards, rules as Prometheus has read
# them. What a person chooses in Grafana is put in: everything, and an interval that fits the short scrapes here.
#   A panel's query has an answer when it returns a sample that is a number.
#   A recording rule, when what it records does.
#   An alert compares, and returns nothing while all is well. So its comparisons are made `bool`, which has it return 0 or 1
#   for everything that it looks at.
# Queries of the log's source are not Prometheus's to answer, and are not asked.
#
# The system is asked as it is out of the box; then on engines of its own (PostgreSQL, RabbitMQ, Redis, etcd), which are
# what one dashboard and one group of alerts are about; and over what stands for Kafka, about the broker alone. In the
# end these are ended, and have to be found missing.
set -u

SUITE=prometheus
# shellcheck source=check/service/run.sh
. "$(dirname "$0")/run.sh"
PATH=$PATH:/usr/sbin:/sbin
SERVICES=(user order inventory)
OF_ENGINES_DASHBOARD=tandem-scale OF_ENGINES_ALERTS=tandem-engines OF_BROKER_ROW=Broker
LOADERS=4 PATIENCE_S=120 INTERVAL=15s
loaders=() prometheus='' kafka=''

# end_of PID…: those that this has started.
end_of() {
    local pid
    for pid in "$@"; do
        [[ $pid ]] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
}

stop_world() {
    touch "$FOLDER/enough"
    end_of "${loaders[@]}" "$prometheus"
    loaders=() prometheus=''
    run stop >/dev/null 2>&1
    rm -f "$FOLDER/enough"
}

clean_up() {
    stop_world
    end_of "$kafka"
    [[ ${TANDEM_KEEP:-} ]] || rm -rf "$FOLDER"
}

# Why the system cannot be tried, or not on engines; nothing when it can.
missing() {
    not_installed nginx spawn-fcgi curl jq prometheus promtool
}

not_built() {
    local name
    for name in "$@"; do
        grep -q "^#define HAVE_$name 1" "$TANDEM_BUILD/config.h" || printf 'it is built without %s\n' "$name"
    done
}

missing_kafka() {
    not_built KAFKA
}

missing_engines() {
    not_installed redis-server etcd
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || printf 'PostgreSQL is not installed\n'
    [[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ]] || printf 'RabbitMQ is not installed\n'
    not_built POSTGRESQL RABBITMQ REDIS
}

# until_true COMMAND…: asks until it holds, for a while.
until_true() {
    within "$PATIENCE_S" "$@" || { echo "not in time: $*"; return 1; }
}

# ---- the system, and those who use it ----

http() {
    curl --noproxy '*' -sS --max-time 20 "$@"
}

trace_id() {
    printf '%08x%08x%08x%08x' $((RANDOM + 1)) $RANDOM $RANDOM "$BASHPID"
}

# Orders, looks at items, and asks for what is not there, until it is enough.
load() {
    local order me=$1 i=0
    sign_in
    until [[ -e $FOLDER/enough ]]; do
        i=$((i + 1))
        order=$(http -H "Authorization: Bearer $TOKEN" -H "Idempotency-Key: load-$me-$i" -H 'Content-Type: application/json' \
            -H "traceparent: 00-$(trace_id)-00000000000000$((10 + me))-01" "$URL/v1/orders" \
            -d '{"lines":[{"sku":"tea-assam","quantity":1}]}' | jq -r .id)
        http -o /dev/null "$URL/v1/items" -H "Authorization: Bearer $TOKEN" "$URL/v1/orders/$order" "$URL/v1/nothing"
        read -r -t 0.05 <> <(:) || true
    done
}

begin_load() {
    local i
    for ((i = 0; i < LOADERS; i++)); do
        load "$i" >/dev/null 2>&1 &
        loaders+=($!)
    done
}

# ---- what stands for Kafka, which ./run does not start ----

kafka_is_up() {
    [[ $(tail -n 1 "$FOLDER/kafka.log" 2>/dev/null) == up ]]
}

start_kafka() {
    local port
    port=$(free_port)
    "$TANDEM_BUILD/check/harness/kafka_mock" 0 "$port" >"$FOLDER/kafka.log" 2>&1 &
    kafka=$!
    export TANDEM_BUS_URL=kafka:127.0.0.1:$port
    until_true kafka_is_up
}

# ---- Prometheus ----

# The shipped configuration, but asking often, asking this system, and calling nobody.
derive() {
    rm -rf "$FOLDER/prometheus" "$FOLDER/tsdb"
    cp -r "$SOURCE/etc/prometheus" "$FOLDER/prometheus" && chmod -R u+w "$FOLDER/prometheus"
    sed -E -e "s/127\.0\.0\.1:8080/127.0.0.1:$PORT/; s/127\.0\.0\.1:9093/127.0.0.1:1/" \
        -e 's/(scrape_interval|scrape_timeout|evaluation_interval): .*/\1: 1s/' \
        "$SOURCE/etc/prometheus/prometheus.yml" >"$FOLDER/prometheus/prometheus.yml"
    [[ $(grep -c "127.0.0.1:$PORT" "$FOLDER/prometheus/prometheus.yml") == 3 ]]
}

start_prometheus() {
    WEB=127.0.0.1:$(free_port)
    prometheus --config.file="$FOLDER/prometheus/prometheus.yml" --storage.tsdb.path="$FOLDER/tsdb" \
        --web.listen-address="$WEB" --enable-feature=exemplar-storage --log.level=warn >"$FOLDER/prometheus.log" 2>&1 &
    prometheus=$!
    until_true api_answers
}

api_answers() {
    http -f -o /dev/null "http://$WEB/-/ready" 2>/dev/null
}

# answer TO OPTION…: of Prometheus' own interface.
answer() {
    http "http://$WEB/api/v1/$1" "${@:2}"
}

all_up() {
    [[ $(answer targets?state=active | jq -r '[.data.activeTargets[] | select(.health == "up") | .labels.service] | sort | join(" ")') == \
        "inventory order user" ]]
}

# ---- what is asked ----

# A line for each: what it is for, a tab, the query.
panel_queries() {
    jq -r '.panels[] | .title as $title | .targets[]? | select(.datasource.type == "prometheus") | [$title, .expr] | @tsv' "$1" |
        sed -e "s/\\\$__rate_interval/$INTERVAL/g; s/\\\$[a-z_]*/.*/g"
}

# The same of one row of it, to the next.
row_queries() {
    jq --arg row "$2" '.panels |= (.[(map(.title) | index($row)) + 1:] | .[:(map(.type == "row") | index(true)) // length])' \
        "$1" >"$FOLDER/row.json"
    panel_queries "$FOLDER/row.json"
}

recorded() {
    answer rules | jq -r '.data.groups[].rules[] | select(.type == "recording") | ["records " + .name, .name] | @tsv'
}

# compared TEST: the alerts of those groups for whose $name that holds.
compared() {
    answer rules | jq -r ".data.groups[] | .name as \$name | select($1) | .rules[]"' | select(.type == "alerting") |
        [.name, (.query | gsub(" (?<how>[<>]=?|[!=]=) "; " \(.how) bool "))] | @tsv'
}

condition_of() {
    answer rules | jq -r --arg name "$1" '.data.groups[].rules[] | select(.name == $name) | .query'
}

is_met() {
    [[ $(answer query --data-urlencode "query=$1" | jq '.data.result | length') -gt 0 ]]
}

# Whether a sample comes back, and is a number.
has_data() {
    answer query --data-urlencode "query=$1" |
        jq -e '.status == "success" and ([.data.result[]?.value[1]] | any(. != "NaN"))' >/dev/null
}

# Asks all on standard input until each was answered; tells those that never were.
all_have_data() {
    local deadline=$((SECONDS + PATIENCE_S)) left=$FOLDER/left asked=$FOLDER/asked what query
    cat >"$left"
    [[ -s $left ]] || { echo "there is nothing to ask"; return 1; }
    echo "$(wc -l <"$left") queries"
    while [[ -s $left ]] && ((SECONDS < deadline)); do
        mv "$left" "$asked"
        while IFS=$'\t' read -r what query; do
            has_data "$query" || printf '%s\t%s\n' "$what" "$query"
        done <"$asked" >"$left"
    done
    [[ ! -s $left ]] || { sed 's/^/no data: /' "$left"; return 1; }
}

panels_have_data() {
    panel_queries "$1" | all_have_data
}

row_has_data() {
    row_queries "$1" "$2" | all_have_data
}

# ---- the cases ----

page_is_clean() {
    http -f "$URL/$1/metrics" >"$FOLDER/page" && promtool check metrics <"$FOLDER/page" >"$FOLDER/findings" 2>&1
    cat "$FOLDER/findings"
    [[ -s $FOLDER/page && ! -s $FOLDER/findings ]]
}

configuration_is_well_formed() {
    promtool check config "$FOLDER/prometheus/prometheus.yml" && promtool check rules "$FOLDER"/prometheus/rules/*.yml
}

demo_is_played() {
    run demo | tail -n 1 | grep 'is paid\.$'
}

rules_have_data() {
    recorded | all_have_data
}

alerts_look_at_data() {
    compared "$1" | all_have_data
}

rules_are_evaluated() {
    [[ $(answer rules | jq '[.data.groups[].rules[]] | length') == "$(grep -cE '^ +- (alert|record): ' "$SOURCE"/etc/prometheus/rules/*.yml |
        awk -F: '{ sum += $2 } END { print sum }')" ]] || return 1
    answer rules | jq -r '.data.groups[].rules[] | select(.health == "err") | "\(.name): \(.lastError)"' | tee "$FOLDER/findings"
    [[ ! -s $FOLDER/findings ]]
}

leads_to_traces() {
    answer query_exemplars --data-urlencode 'query=http_request_duration_seconds_bucket{route="/v1/orders"}' \
        --data-urlencode "start=$((EPOCHSECONDS - 3600))" --data-urlencode "end=$EPOCHSECONDS" |
        jq -e '[.data[]?.exemplars[].labels.trace_id] | any(test("^[0-9a-f]{32}$"))'
}

exemplars_come() {
    until_true leads_to_traces
}

none_fires() {
    answer alerts | jq -r '.data.alerts[] | select(.state == "firing") | .labels.alertname' | tee "$FOLDER/findings"
    [[ ! -s $FOLDER/findings ]]
}

# missed ALERT PID: what has that process is ended, and its alert's condition comes to hold.
missed() {
    local condition
    condition=$(condition_of "$1")
    if [[ ! $condition ]] || is_met "$condition"; then
        echo "there is none, or it is met before: $condition"
        return 1
    fi
    kill "$2" && until_true is_met "$condition"
}

pid_of() {
    cut -d' ' -f1 "$STATE/run/$1.pid"
}

# world NAME OPTION…: the system is started with these, asked for by Prometheus, and used.
world() {
    local on="$1: " service
    STATE=$FOLDER/state-${1// /-}
    shift
    tap "${on}the system starts" run start --no-install --port "$PORT" --front nginx "$@"
    tap "${on}the shipped configuration names the services" derive
    tap "${on}configuration and rules are well-formed" configuration_is_well_formed
    tap "${on}Prometheus starts" start_prometheus
    tap "${on}all targets are up" until_true all_up
    begin_load
    tap "${on}the story is played under load" demo_is_played
    for service in "${SERVICES[@]}"; do
        tap "${on}the metrics of $service are clean" page_is_clean "$service"
    done
}

as_it_comes() {
    local dashboard
    world "out of the box"
    tap "every recording rule has data" rules_have_data
    for dashboard in "$SOURCE"/etc/grafana/dashboards/*.json; do
        [[ $dashboard == */$OF_ENGINES_DASHBOARD.json ]] ||
            tap "every query of $(basename "$dashboard" .json) has data" panels_have_data "$dashboard"
    done
    tap "every alert but those of engines looks at data" alerts_look_at_data "\$name != \"$OF_ENGINES_ALERTS\""
    tap "every rule is evaluated without an error" rules_are_evaluated
    tap "latencies lead to traces" exemplars_come
    tap "no alert fires while all is well" none_fires
    stop_world
}

on_engines() {
    world "on engines" --with postgresql,rabbitmq,etcd,redis
    tap "every query of $OF_ENGINES_DASHBOARD has data" panels_have_data "$SOURCE/etc/grafana/dashboards/$OF_ENGINES_DASHBOARD.json"
    tap "every alert of engines looks at data" alerts_look_at_data "\$name == \"$OF_ENGINES_ALERTS\""
    tap "on engines no alert fires while all is well" none_fires
    tap "without Redis TandemCacheRemoteAway holds" missed TandemCacheRemoteAway "$(pid_of redis-1)"
    tap "without etcd TandemRegistryAway holds" missed TandemRegistryAway "$(pid_of etcd-1)"
    tap "without RabbitMQ TandemBusAway holds" missed TandemBusAway "$(pid_of rabbitmq-1)"
    tap "without PostgreSQL TandemDatabaseAway holds" missed TandemDatabaseAway "$(pid_of postgresql)"
    stop_world
}

over_kafka() {
    tap "Kafka starts" start_kafka
    world "over Kafka"
    tap "over Kafka every query about the broker has data" \
        row_has_data "$SOURCE/etc/grafana/dashboards/$OF_ENGINES_DASHBOARD.json" "$OF_BROKER_ROW"
    tap "who publishes is connected to its broker" until_true is_met 'tandem_bus_brokers_up{service="order"} == 1'
    tap "who consumes was given partitions" until_true is_met 'tandem_bus_rebalances_total{service="order"} > 0'
    tap "over Kafka no alert fires while all is well" none_fires
    tap "without Kafka TandemBusAway holds" missed TandemBusAway "$kafka"
    stop_world
}

# tried_unless WHY COMMAND: a skip where there is a reason, unless nothing may be skipped.
tried_unless() {
    if [[ ! $1 || ${TANDEM_REQUIRE:-} ]]; then
        "$2"
    else
        tests=$((tests + 1))
        echo "ok $tests - $SUITE: ${2//_/ } # SKIP ${1//$'\n'/; }"
    fi
}

skips_for "$(missing)"
PORT=$(free_port)
URL=http://127.0.0.1:$PORT
as_it_comes
tried_unless "$(missing_engines)" on_engines
tried_unless "$(missing_kafka)" over_kafka
ends
