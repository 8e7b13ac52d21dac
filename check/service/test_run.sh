#!/bin/bash
# ./run itself, on a tree that is built: start, demo, status, stop, and what it refuses.
set -u

SUITE=run
# shellcheck source=check/service/run.sh
. "$(dirname "$0")/run.sh"

starts() {
    run start --no-install --port "$PORT" --front "$1"
}

trace_is_drawn() {
    local order
    order=$(sed -nE 's/^The order (.*) is paid\.$/\1/p' "$FOLDER/story")
    run trace show "$order" | grep -q 'POST /v1/orders'
}

has_demo_json() {
    local file=$STATE/demo.json
    [[ $(stat -c %a "$file") == 600 ]] || return 1
    jq -e --arg url "http://127.0.0.1:$PORT" --arg build "$TANDEM_BUILD" '
        .url == $url and .bin == $build and
        ([.admin, .customer] | all(.email != "" and .password != "")) and
        ([.sockets, .db] | all(has("user") and has("order") and has("inventory"))) and
        (.pids | has("front") and has("user") and has("order") and has("inventory")) and (.conf | type == "string")' "$file"
}

# Every path and process that demo.json names is there, and the sign-ins work.
demo_json_is_true() {
    local file=$STATE/demo.json path who
    while read -r path; do
        [[ -e $path ]] || { echo "missing: $path"; return 1; }
    done < <(jq -r '.sockets[], .db[], .bin, .conf' "$file")
    while read -r path; do
        kill -0 "$path" || return 1
    done < <(jq -r '.pids[]' "$file")
    for who in admin customer; do
        jq -c ".$who" "$file" | curl -fsS -o /dev/null -H 'Content-Type: application/json' --data-binary @- \
            "http://127.0.0.1:$PORT/v1/sessions" || return 1
    done
}

status_is() {
    local status=0
    run status || status=$?
    ((status == $1))
}

says_already_running() {
    run start --no-install --port "$PORT" | grep -qi 'already running'
}

refuses_taken_port() {
    local output
    output=$("$SOURCE/run" start --no-install --port "$PORT" --state "$FOLDER/other" 2>&1) && return 1
    grep -q "port $PORT is taken" <<<"$output" && [[ ! -e $FOLDER/other/run/user.pid ]]
}

# The lines of the front page, pasted into a shell.
page_works() {
    curl -fsS "http://127.0.0.1:$PORT/" | sed -n '/<pre>/,/<\/pre>/p' | sed 's/<[^>]*>//g; s/&amp;/\&/g' >"$FOLDER/pasted"
    bash -u "$FOLDER/pasted" >"$FOLDER/said" 2>&1
    cat "$FOLDER/said"
    grep -q '"from":' "$FOLDER/said" && ! grep -q '/problems/' "$FOLDER/said"
}

remember() {
    jq -r '.pids[]' "$STATE/demo.json" >"$FOLDER/pids"
    jq -c '[.admin, .customer]' "$STATE/demo.json" >"$FOLDER/accounts"
    jq -c '.customer' "$STATE/demo.json" | curl -fsS -H 'Content-Type: application/json' --data-binary @- \
        "http://127.0.0.1:$PORT/v1/sessions" | jq -r .user_id >"$FOLDER/customer"
}

stop_leaves_nothing() {
    local pid
    run stop || return 1
    while read -r pid; do
        if [[ -e /proc/$pid/exe ]]; then   # not so for one that only waits to be reaped
            echo "still there: $pid"
            return 1
        fi
    done <"$FOLDER/pids"
    no_process_is_left || return 1
    [[ ! -e $STATE/demo.json ]] && ! compgen -G "$STATE/run/*.sock"
}

keeps_state() {
    local customer
    [[ $(jq -c '[.admin, .customer]' "$STATE/demo.json") == "$(<"$FOLDER/accounts")" ]] || return 1
    customer=$(jq -c '.customer' "$STATE/demo.json" | curl -fsS -H 'Content-Type: application/json' --data-binary @- \
        "http://127.0.0.1:$PORT/v1/sessions" | jq -r .user_id)
    [[ $customer == "$(<"$FOLDER/customer")" ]]
}

refuses_long_state() {
    local long output
    long=$FOLDER/$(printf '%0100d' 0)
    output=$("$SOURCE/run" start --no-install --port "$PORT" --state "$long" 2>&1) && return 1
    grep -q 'too long' <<<"$output" && [[ ! -e $long ]]
}

refuses_nonsense() {
    ! "$SOURCE/run" begin && ! "$SOURCE/run" --port x && ! "$SOURCE/run" --port 70000 && ! "$SOURCE/run" --front apache &&
        ! "$SOURCE/run" --state && "$SOURCE/run" --help
}

# In the foreground, and then Ctrl-C. What is started without a terminal ignores SIGINT, so it is told by SIGTERM.
foreground_ends() {
    local runner tenths=0
    "$SOURCE/run" --no-install --port "$PORT" --state "$STATE" </dev/null >"$FOLDER/foreground" 2>&1 &
    runner=$!
    until grep -qs "http://127.0.0.1:$PORT/v1/items" "$FOLDER/foreground"; do
        if ! kill -0 "$runner" 2>/dev/null || ((tenths++ > 600)); then
            cat "$FOLDER/foreground"
            return 1
        fi
        read -r -t 0.1 <> <(:)
    done
    remember
    kill -TERM "$runner"
    wait "$runner" || return 1
    stop_leaves_nothing
}

skips_for "$(not_installed nginx lighttpd spawn-fcgi curl jq)"
PORT=$(free_port)
tap "it starts behind nginx" starts nginx
tap "demo.json has every key, for its owner only" has_demo_json
tap "demo.json tells the truth" demo_json_is_true
tap "the story ends with a paid order" demo_ends_paid
tap "what became of its order is drawn" trace_is_drawn
tap "the front page's lines work when pasted" page_works
tap "status is 0 while all runs" status_is 0
tap "a second start says that it runs already" says_already_running
tap "a taken port is refused, and nothing is left" refuses_taken_port
remember
tap "stop leaves nothing behind" stop_leaves_nothing
tap "status is 3 when nothing runs" status_is 3
tap "it starts behind lighttpd" starts lighttpd
tap "accounts are kept between runs" keeps_state
tap "the story ends with a paid order behind lighttpd" demo_ends_paid
remember
tap "stop leaves nothing behind lighttpd" stop_leaves_nothing
tap "in the foreground it ends when told, and leaves nothing" foreground_ends
tap "a state folder whose sockets would not fit is refused" refuses_long_state
tap "wrong options are refused" refuses_nonsense
ends
