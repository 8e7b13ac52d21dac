#!/bin/bash
# doc/gitops.md from beginning to end: settings are checked, signed, delivered, verified, taken up and confirmed.
set -u
# shellcheck disable=SC2119   # a service without further arguments
# shellcheck source=check/service/settings.sh
. "$(dirname "$0")/settings.sh"

REPOSITORY=$FOLDER/repository
RELEASES=$FOLDER/releases
KEY=$FOLDER/tandem.pub
mkdir -p "$REPOSITORY/conf.d" "$RELEASES"
export TANDEM_ENV=prod TANDEM_CONF_PUBLIC_KEY_FILE=$KEY

write_repository() {
    settings 'log = { level = "warning"; };' >"$REPOSITORY/tandem.conf"
    echo 'session = { lifetime_s = 7200; };' >"$REPOSITORY/tandem.prod.conf"
    printf '%s\n' "$@" >"$REPOSITORY/conf.d/10-page.conf"
}

check_and_sign() {
    (cd "$REPOSITORY" && TANDEM_CONF_PUBLIC_KEY_FILE='' "$BUILD/tandemctl" conf check --elsewhere --config tandem.conf &&
        "$BUILD/tandemctl" conf sign --secret-key "$FOLDER/tandem.key" tandem.conf tandem.prod.conf conf.d/*.conf)
}

expected() {
    "$BUILD/tandemctl" conf digest --config "$REPOSITORY/tandem.conf" --service user
}

# Into a new folder, and then a link to it, at once.
deliver() {
    cp -r "$REPOSITORY" "$RELEASES/$1"
    ln -sfn "$RELEASES/$1" "$FOLDER/etc.new" && mv -T "$FOLDER/etc.new" "$FOLDER/etc"
}

verify() {
    "$BUILD/tandemctl" conf verify --public-key "$KEY" "$FOLDER"/etc/*.conf "$FOLDER"/etc/conf.d/*.conf
}

confirms() {
    has /version "\"digest\":\"$1\""
}

first_release() {
    write_repository 'page = { limit_max = 50; };'
    check_and_sign && rmdir "$FOLDER/etc" && deliver 1 && verify && start_service && confirms "$(expected)"
}

second_release() {
    local digest
    write_repository 'page = { limit_max = 60; };'
    check_and_sign && digest=$(expected) && deliver 2 && verify && until_true confirms "$digest" && ! has /readyz degraded
}

# A fault does not leave the repository.
third_is_wrong() {
    write_repository 'page = { limit_mx = 60; };'
    ! check_and_sign 2>"$FOLDER/said" && grep -q 'did you mean page.limit_max' "$FOLDER/said"
}

# Somebody changes what was delivered.
alteration_is_refused() {
    local digest
    digest=$(ask /version | jq -r .settings.digest)
    echo 'page = { limit_max = 99; };' >"$FOLDER/etc/conf.d/10-page.conf"
    until_true has /readyz 'it is not what was signed' || return 1
    ! verify && confirms "$digest" || return 1
    deliver 3 && cp "$RELEASES/1/conf.d/"* "$FOLDER/etc/conf.d/" || return 1   # an old file is signed, but tells by the digest
    until_true has /readyz '"name":"settings","status":"ok"' && ! confirms "$digest"
}

restart_is_told() {
    write_repository 'page = { limit_max = 60; };' 'pool = { threads = 2; };'
    check_and_sign && deliver 4 && until_true has /version '"await_restart":["pool.threads"]' || return 1
    ! confirms "$(expected)" && stop_service && start_service && confirms "$(expected)"
}

reload_is_asked_for() {
    local before
    before=$(ask /version | jq -r .settings.loaded_at)
    kill -HUP "$SERVICE"
    until_true not_loaded_at "$before" && confirms "$(expected)"
}

not_loaded_at() {
    ! has /version "\"loaded_at\":\"$1\""
}

by_minisign() {
    minisign -G -W -f -p "$FOLDER/mini.pub" -s "$FOLDER/mini.key" >"$FOLDER/said" 2>&1 </dev/null || return 1
    minisign -S -m "$REPOSITORY/tandem.conf" -s "$FOLDER/mini.key" </dev/null || return 1
    "$BUILD/tandemctl" conf verify --public-key "$FOLDER/mini.pub" "$REPOSITORY/tandem.conf" || return 1
    "$BUILD/tandemctl" conf sign --secret-key "$FOLDER/mini.key" "$REPOSITORY/tandem.conf" || return 1
    minisign -V -m "$REPOSITORY/tandem.conf" -p "$FOLDER/mini.pub"
}

tap "a pair of keys is made, the secret one for its owner" \
    "$BUILD/tandemctl" conf keygen --public-key "$KEY" --secret-key "$FOLDER/tandem.key"
tap "what is checked, signed, delivered and verified is what runs" first_release
tap "a second release is taken up by itself, and confirmed" second_release
tap "a fault is found before it is delivered" third_is_wrong
tap "what was altered is refused, what is old shows" alteration_is_refused
tap "what needs a restart is told, and confirmed after it" restart_is_told
tap "SIGHUP reloads at once" reload_is_asked_for
tap "the service ends well" stop_service
if command -v minisign >/dev/null; then
    tap "minisign and tandemctl take each other's signatures" by_minisign
elif [[ ${TANDEM_REQUIRE:-} ]]; then
    tap "minisign and tandemctl take each other's signatures" command -v minisign
else
    tests=$((tests + 1))
    printf "ok %d - minisign and tandemctl take each other's signatures # SKIP minisign is not installed\n" "$tests"
fi
ends
