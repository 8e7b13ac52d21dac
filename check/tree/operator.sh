#!/bin/bash
# What is shipped for the operator's tools says the same as the programs and as each other: rules, dashboards, runbooks.
# shellcheck source=check/tree/tap.sh
# shellcheck disable=SC2016   # jq's own variables
. "$(dirname "$0")/tap.sh"

RULES=etc/prometheus/rules DASHBOARDS=etc/grafana/dashboards

# Metrics that nobody has to look at. Faults happen where tests ask for them, and nowhere else.
UNWATCHED='tandem_faults_total'

alerts() {
    sed -nE 's/^ +- alert: //p' "$RULES"/*.yml | sort
}

records() {
    sed -nE 's/^ +- record: //p' "$RULES"/*.yml | sort
}

panels() {
    jq -c '.title as $of | .panels[] | select(.type != "row") | {of: $of, id, title, description, type, unit: .fieldConfig.defaults.unit, targets}' "$@"
}

# In their comments, too, rules name nothing that is not there.
expressions() {
    jq -r '.panels[].targets[]? | select(.datasource.type == "prometheus") | .expr' "$DASHBOARDS"/*.json
    cat "$RULES"/*.yml
}

runbooks_and_alerts() {
    diff <(alerts) <(find doc/runbooks -name '*.md' -printf '%f\n' | sed 's/\.md$//' | sort) |
        sed -nE 's/^< (.*)/\1 has no runbook/p; s/^> (.*)/\1.md is the runbook of no alert/p'
    diff <(alerts) <(sed -nE 's|^ +runbook: doc/runbooks/(.*)\.md$|\1|p' "$RULES"/*.yml | sort) |
        sed 's/^/annotations: /'
    local page
    for page in doc/runbooks/*.md; do
        [[ $(head -n 1 "$page") == "# $(basename "$page" .md)" ]] || echo "$page is not called after its alert"
    done
}

dead_links() {
    local page link
    for page in doc/observability.md doc/runbooks/*.md; do
        grep -oE '\]\([^):]+\)' "$page" | tr -d '()]' | while read -r link; do
            [[ -e $(dirname "$page")/$link ]] || echo "$page leads to $link, which is not there"
        done
    done
}

# A line for each of the metrics' table: its name, and its type.
table_of_metrics() {
    sed -E 's/ *\\$//' shared/telemetry/metric_table.h | tr -d '\n' | grep -oE 'ROW\(METRIC_[A-Z_]+, *"[a-z_]+", *[A-Z_]+' |
        sed -E 's/.*"([a-z_]+)", *([A-Z_]+)/\1 \2/'
}

# With what a histogram is scraped as.
known_metrics() {
    table_of_metrics | while read -r name type; do
        case $type in
            *HISTOGRAM) printf '%s\n' "$name"_{bucket,sum,count} ;;
            *) printf '%s\n' "$name" ;;
        esac
    done
}

# Prometheus would rename them, for its targets have such labels. tandem_build_info says the same as its target.
clashing_labels() {
    sed -E 's/ *\\$//' shared/telemetry/metric_table.h | tr -d '\n' |
        grep -oE 'ROW\(METRIC_[A-Z_]+, *"[a-z_]+", *[A-Z_]+, *[A-Z]+, *"[a-z_,]*"' | grep -v '"tandem_build_info"' |
        grep -E '[",](service|instance|job)[",]' | sed -E 's/.*"([a-z_]+)", *[A-Z_]+, *[A-Z]+, *"(.*)"/\1 has the labels \2/'
}

unwatched_metrics() {
    local watched
    watched=$(expressions | grep -oE '\b(http|tandem|process)_[a-z_]+' | sed -E 's/_(bucket|sum|count)$//')
    table_of_metrics | cut -d' ' -f1 | grep -vxF -e "$watched" -e "$UNWATCHED" |
        sed 's/^/no panel, and no rule, looks at /'
}

unknown_metrics() {
    expressions | sed -E 's/\b[a-z]+:[a-z_]+:[a-z0-9_]+//g' | grep -oE '\b(http|tandem|process)_[a-z_]+' | sort -u | grep -vxF -f <(known_metrics)
}

unknown_records() {
    expressions | grep -oE '\b[a-z]+:[a-z_]+:[a-z0-9_]+' | sort -u | grep -vxF -f <(records)
}

untested_alerts() {
    local alert
    alerts | while read -r alert; do
        grep -qE "^ *- name: \"$alert fires" etc/prometheus/tests/*.yml || echo "$alert is never made to fire"
        grep -qE "^ *- name: \"$alert is silent" etc/prometheus/tests/*.yml || echo "$alert is never shown to be silent"
    done
}

unfinished_panels() {
    panels "$DASHBOARDS"/*.json | jq -r '
        select((.title // "") == "" or (.description // "") == "" or (.unit // "") == "" or (.targets | length) == 0) |
        "\(.of): panel \(.id) lacks a title, a description, a unit or a query"'
    panels "$DASHBOARDS"/*.json | jq -r '
        .of as $of | .title as $title | .targets[] |
        select(.datasource.uid != "${datasource}" and .datasource.uid != "${logs}") |
        "\($of): \($title) does not ask the data source that was chosen"'
}

# Latencies of requests are where one looks for a trace.
missing_exemplars() {
    panels "$DASHBOARDS"/*.json | jq -r '
        select(.type == "timeseries" or .type == "heatmap") | .of as $of | .title as $title | .targets[] |
        select((.expr | test("http_request_duration_seconds_bucket")) and .exemplar != true) |
        "\($of): \($title) shows no exemplars"'
}

dashboards_that_clash() {
    jq -r .uid "$DASHBOARDS"/*.json | sort | uniq -d
    local file
    for file in "$DASHBOARDS"/*.json; do
        jq -r --arg file "$file" '
            ([.panels[].id] | group_by(.)[] | select(length > 1) | "\($file): panel \(.[0]) is there twice"),
            (select(.schemaVersion < 38 or (.uid // "") == "" or (.tags | index("tandem") | not)) | "\($file): schema, uid or tag")' "$file"
    done
}

quietly() {
    local output
    output=$("$@" 2>&1) || printf '%s\n' "$output"
}

holds "each alert has its runbook, and each runbook its alert" runbooks_and_alerts
holds "what the operator's pages lead to is there" dead_links
holds "each metric that is asked for is in the table" unknown_metrics
holds "each metric of the table is looked at" unwatched_metrics
holds "no metric has a label of its target's" clashing_labels
holds "each recording rule that is asked for is there" unknown_records
holds "each alert is made to fire and to stay silent" untested_alerts
holds "each panel has a title, a description, a unit and a query of its source" unfinished_panels
holds "latencies lead to traces" missing_exemplars
holds "dashboards are told apart" dashboards_that_clash
if command -v promtool >/dev/null; then
    holds "Prometheus takes its configuration and rules" quietly promtool check config etc/prometheus/prometheus.yml
    holds "the alerts fire and stay silent as their tests say" quietly promtool test rules etc/prometheus/tests/*.yml
else
    skips "Prometheus takes its configuration and rules" "promtool is not installed"
    skips "the alerts fire and stay silent as their tests say" "promtool is not installed"
fi
if command -v amtool >/dev/null; then
    holds "Alertmanager takes its configuration" quietly amtool check-config etc/alertmanager/alertmanager.yml
else
    skips "Alertmanager takes its configuration" "amtool is not installed"
fi
ends
