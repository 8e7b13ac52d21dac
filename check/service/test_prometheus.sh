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
set -u

SOURCE=$(cd "${TANDEM_SRCDIR:-.}" && pwd)
TANDEM_BUILD=$(cd "${TANDEM_BUILDDIR:-.}" && pwd)
export TANDEM_BUILD
PATH=$PATH:/usr/sbin:/sbin
FOLDER=$(mktemp -d "${TMPDIR:-/tmp}/tandem-prometheus-XXXXXX")
STATE=$FOLDER/state
SERVICES=(user order inventory)
LOADERS=4 PATIENCE_S=120 INTERVAL=15s
tests=0 failures=0 loaders=() prometheus=

clean_up() {
    local pid
    touch "$FOLDER/enough"
    for pid in "${loaders[@]}" $prometheus; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    "$SOURCE/run" stop --state "$STATE" >/dev/null 2>&1
    [[ ${TANDEM_KEEP:-} ]] || rm -rf "$FOLDER"
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

# tap NAME COMMAND…
tap() {
    local name=$1
    shift
    tests=$((tests + 1))
    if "$@" >"$FOLDER/output" 2>&1; then
        printf 'ok %d - prometheus: %s\n' "$tests" "$name"
    else
        failures=$((failures + 1))
        printf 'not ok %d - prometheus: %s\n' "$tests" "$name"
        tail -n 60 "$FOLDER/output" | sed 's/^/#   /'
    fi
}

missing() {
    local name
    for name in nginx spawn-fcgi curl jq prometheus promtool; do
        command -v "$name" >/dev/null || echo "$name"
    done
}

free_port() {
    local port
    while port=$((10000 + RANDOM % 20000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# until_true COMMAND…: asks until it holds, for a while.
until_true() {
    local deadline=$((SECONDS + PATIENCE_S))
    until "$@"; do
        ((SECONDS < deadline)) || { echo "not in time: $*"; return 1; }
        read -r -t 0.2 <> <(:) || true
    done
}

# ---- the system, and those who use it ----

run() {
    "$SOURCE/run" "$@" --state "$STATE" </dev/null
}

http() {
    curl --noproxy '*' -sS --max-time 20 "$@"
}

sign_in() {
    jq -c .customer "$STATE/demo.json" | http -f -H 'Content-Type: application/json' --data-binary @- "$URL/v1/sessions" |
        jq -r .token
}

trace_id() {
    printf '%08x%08x%08x%08x' $((RANDOM + 1)) $RANDOM $RANDOM "$BASHPID"
}

# Orders, looks at items, and asks for what is not there, until it is enough.
load() {
    local token order me=$1 i=0
    token=$(sign_in)
    until [[ -e $FOLDER/enough ]]; do
        i=$((i + 1))
        order=$(http -H "Authorization: Bearer $token" -H "Idempotency-Key: load-$me-$i" -H 'Content-Type: application/json' \
            -H "traceparent: 00-$(trace_id)-00000000000000$((10 + me))-01" "$URL/v1/orders" \
            -d '{"lines":[{"sku":"tea-assam","quantity":1}]}' | jq -r .id)
        http -o /dev/null "$URL/v1/items" -H "Authorization: Bearer $token" "$URL/v1/orders/$order" "$URL/v1/nothing"
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

# ---- Prometheus ----

# The shipped configuration, but asking often, asking this system, and calling nobody.
derive() {
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

api() {
    http "http://$WEB/api/v1/$1" "${@:2}"
}

all_up() {
    [[ $(api targets?state=active | jq -r '[.data.activeTargets[] | select(.health == "up") | .labels.service] | sort | join(" ")') == \
        "inventory order user" ]]
}

# ---- what is asked ----

# A line for each: what it is for, a tab, the query.
panel_queries() {
    jq -r '.panels[] | .title as $title | .targets[]? | select(.datasource.type == "prometheus") | [$title, .expr] | @tsv' "$1" |
        sed -e "s/\\\$__rate_interval/$INTERVAL/g; s/\\\$[a-z_]*/.*/g"
}

recorded() {
    api rules | jq -r '.data.groups[].rules[] | select(.type == "recording") | ["records " + .name, .name] | @tsv'
}

compared() {
    api rules | jq -r '.data.groups[].rules[] | select(.type == "alerting") |
        [.name, (.query | gsub(" (?<how>[<>]=?|[!=]=) "; " \(.how) bool "))] | @tsv'
}

# Whether a sample comes back, and is a number.
has_data() {
    api query --data-urlencode "query=$1" |
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
    compared | all_have_data
}

rules_are_evaluated() {
    [[ $(api rules | jq '[.data.groups[].rules[]] | length') == "$(grep -cE '^ +- (alert|record): ' "$SOURCE"/etc/prometheus/rules/*.yml |
        awk -F: '{ sum += $2 } END { print sum }')" ]] || return 1
    api rules | jq -r '.data.groups[].rules[] | select(.health == "err") | "\(.name): \(.lastError)"' | tee "$FOLDER/findings"
    [[ ! -s $FOLDER/findings ]]
}

leads_to_traces() {
    api query_exemplars --data-urlencode 'query=http_request_duration_seconds_bucket{route="/v1/orders"}' \
        --data-urlencode "start=$((EPOCHSECONDS - 3600))" --data-urlencode "end=$EPOCHSECONDS" |
        jq -e '[.data[]?.exemplars[].labels.trace_id] | any(test("^[0-9a-f]{32}$"))'
}

exemplars_come() {
    until_true leads_to_traces
}

none_fires() {
    api alerts | jq -r '.data.alerts[] | select(.state == "firing") | .labels.alertname' | tee "$FOLDER/findings"
    [[ ! -s $FOLDER/findings ]]
}

absent=$(missing)
if [[ $absent && -z ${TANDEM_REQUIRE:-} ]]; then
    echo "1..0 # SKIP not installed: ${absent//$'\n'/ }"
    exit 0
fi

PORT=$(free_port)
URL=http://127.0.0.1:$PORT
tap "the system starts" run start --no-install --port "$PORT" --front nginx
tap "the shipped configuration names the services" derive
tap "configuration and rules are well-formed" configuration_is_well_formed
tap "Prometheus starts" start_prometheus
tap "all targets are up" until_true all_up
begin_load
tap "the story is played under load" demo_is_played
for service in "${SERVICES[@]}"; do
    tap "the metrics of $service are clean" page_is_clean "$service"
done
tap "every recording rule has data" rules_have_data
for dashboard in "$SOURCE"/etc/grafana/dashboards/*.json; do
    tap "every query of $(basename "$dashboard" .json) has data" panels_have_data "$dashboard"
done
tap "every alert looks at data" alerts_look_at_data
tap "every rule is evaluated without an error" rules_are_evaluated
tap "latencies lead to traces" exemplars_come
tap "no alert fires while all is well" none_fires
echo "1..$tests"
((failures == 0))
