#!/bin/bash
# Every fault that settings can have: at the start it is told once, with its place, and ends the service with status 1; at a
# reload the old settings keep working, and what was wrong is told.
set -u
# shellcheck source=check/service/settings.sh
. "$(dirname "$0")/settings.sh"

# What makes the settings wrong, each with what is to be told. Those that need a signature have a key of their own.
break_syntax() { settings 'log = {' '    level = ;' '};' | replace "$CONF"; }
break_name() { settings 'log = { levle = "debug"; };' | replace "$CONF"; }
break_type() { settings 'pool = { threads = "many"; };' | replace "$CONF"; }
break_range() { settings 'pool = { threads = 0; };' | replace "$CONF"; }
break_relation() { settings 'page = { limit_default = 200; };' | replace "$CONF"; }
break_missing() { rm -f "$CONF"; }
break_unreadable() { rm -f "$CONF" && mkdir "$CONF"; }
break_include() { settings '@include "/tmp"' | replace "$CONF"; }
break_fragment() { mkdir -p "$FOLDER/etc/conf.d" && echo 'pool = { threads = -1; };' >"$FOLDER/etc/conf.d/10.conf"; }
break_rule() { settings 'log = { sink = "file"; };' | replace "$CONF"; }
break_endpoints() { settings 'discovery = { endpoints = "user"; };' | replace "$CONF"; }
break_signature() { settings 'log = { level = "error"; };' | replace "$CONF"; }
break_unsigned() { rm -f "$CONF.minisig"; }

FAULTS=(
    "syntax|tandem.conf:5: syntax error"
    "name|tandem.conf:4: unknown option log.levle; did you mean log.level?"
    "type|tandem.conf:4: pool.threads has the wrong type"
    "range|tandem.conf:4: pool.threads is 0, outside 1 to 256"
    "relation|tandem.conf:4: page.limit_default is 200"
    "missing|tandem.conf: No such file or directory"
    "unreadable|tandem.conf: Is a directory"
    "include|tandem.conf:4: there is no @include"
    "fragment|conf.d/10.conf:1: pool.threads is -1"
    "rule|tandem.conf:4: log.file has to say where"
    "endpoints|tandem.conf:4: discovery.endpoints: "
    "signature|tandem.conf: it is not what was signed"
    "unsigned|tandem.conf: its signature, "
)

mend() {
    rm -rf "$CONF" "$FOLDER/etc/conf.d"
    settings 'log = { level = "warning"; };' | replace "$CONF"
    "$BUILD/tandemctl" conf sign --secret-key "$FOLDER/key.sec" "$CONF"
}

# The arguments that the service has for a fault: of signatures it knows only with a key.
key_for() {
    case $1 in
        signature | unsigned) printf '%s\n' --set "conf.public_key_file=$FOLDER/key.pub" ;;
    esac
}

refused_at_start() {
    local key
    mapfile -t key < <(key_for "$1")
    mend
    "break_$1"
    "$BUILD/tandem-user" --config "$CONF" "${key[@]}" >"$FOLDER/said" 2>&1 </dev/null
    local status=$?
    cat "$FOLDER/said"
    ((status == 1)) && [[ $(grep -cF -- "$2" "$FOLDER/said") == 1 && $(wc -l <"$FOLDER/said") == 1 ]]
}

metric_is() {
    ask /metrics | grep -qx "$1 $2"
}

digest() {
    ask /version | jq -r .settings.digest
}

works_on() {
    local before
    before=$(digest)
    [[ ${#before} == 64 ]] || return 1
    : >"$LOG"
    "break_$1"
    until_true has /readyz "$2" || return 1
    [[ $(digest) == "$before" ]] || { echo "other settings are in effect"; return 1; }
    ask /readyz | jq -e '.status == "degraded" and (.checks[] | select(.name == "settings") | .status == "degraded")' || return 1
    until_true grep -qF -- "$2" "$LOG" || return 1
    metric_is tandem_config_last_reload_success 0 || return 1
    mend
    until_true metric_is tandem_config_last_reload_success 1 && ! has /readyz degraded
}

# By SIGHUP and by watching; a service for each key.
reloads_survive() {
    local fault
    mend
    start_service "${@:2}" || return 1
    for fault in "${FAULTS[@]}"; do
        [[ $(key_for "${fault%%|*}" | wc -l) == "$1" ]] || continue
        echo "${fault%%|*}:"
        works_on "${fault%%|*}" "${fault#*|}" || return 1
    done
    stop_service
}

reloads() {
    ask /metrics | sed -n 's/^tandem_config_reloads_total //p'
}

has_reloaded() {
    (($(reloads) > $1))
}

hangup_reloads() {
    local before
    mend
    start_service || return 1
    before=$(reloads)
    kill -HUP "$SERVICE"
    until_true has_reloaded "$before" && ! has /readyz degraded && stop_service
}

restart_is_named() {
    mend
    start_service || return 1
    settings 'log = { level = "warning"; };' 'pool = { threads = 3; };' 'page = { limit_max = 70; };' | replace "$CONF"
    until_true has /version '"await_restart":["pool.threads"]' || return 1
    until_true grep -q 'need a restart.*pool\.threads' "$LOG" || return 1
    stop_service
}

environments() {
    mend
    echo 'page = { limit_max = 41; };' >"$FOLDER/etc/tandem.prod.conf"
    mkdir -p "$FOLDER/etc/conf.d"
    echo 'page = { limit_default = 17; };' >"$FOLDER/etc/conf.d/50-page.conf"
    TANDEM_ENV=prod "$BUILD/tandem-user" --config "$CONF" --print-config >"$FOLDER/said" || return 1
    grep -qF "limit_max = 41;    # TANDEM_ENV file $FOLDER/etc/tandem.prod.conf:1" "$FOLDER/said" || return 1
    grep -qF "limit_default = 17;    # conf.d file $FOLDER/etc/conf.d/50-page.conf:1" "$FOLDER/said" || return 1
    ! TANDEM_ENV=prdo "$BUILD/tandem-user" --config "$CONF" --check-config 2>"$FOLDER/said" || return 1
    grep -qF 'tandem.prdo.conf: No such file or directory; it is named by TANDEM_ENV' "$FOLDER/said"
}

samples_are_fine() {
    local environment
    cp "${TANDEM_SRCDIR:-.}"/etc/tandem*.conf "$FOLDER/etc/"
    rm -rf "$FOLDER/etc/conf.d"
    for environment in '' dev staging prod; do
        TANDEM_ENV=$environment "$BUILD/tandemctl" conf check --config "$FOLDER/etc/tandem.conf" || return 1
    done
}

"$BUILD/tandemctl" conf keygen --public-key "$FOLDER/key.pub" --secret-key "$FOLDER/key.sec" >/dev/null || exit 1
for fault in "${FAULTS[@]}"; do
    tap "at the start: ${fault%%|*}" refused_at_start "${fault%%|*}" "${fault#*|}"
done
tap "at a reload each fault leaves the old settings at work" reloads_survive 0
tap "at a reload so does what is not signed" reloads_survive 2 --set "conf.public_key_file=$FOLDER/key.pub"
tap "SIGHUP has the settings read again" hangup_reloads
tap "what needs a restart is named" restart_is_named
tap "TANDEM_ENV and conf.d are read, and told" environments
tap "the samples are fine" samples_are_fine
ends
