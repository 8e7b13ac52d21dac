# Installs the Debian packages that are missing. Sourced by ./run.
# shellcheck shell=bash

# packages_of CLASS…: the names in the list that are of these classes.
packages_of() {
    awk -v classes=" $* " '!/^#/ && index(classes, " " $1 " ") { print $2 }' "$SOURCE/etc/debian-packages"
}

packages_missing() {
    local name
    for name in $(packages_of "$@"); do
        dpkg-query -W -f '${db:Status-Status}\n' "$name" 2>/dev/null | grep -qx installed || printf '%s\n' "$name"
    done
}

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "this needs root, and there is no sudo: $*"
    fi
}

agree() {
    [[ $YES == yes || ! -t 0 ]] && return
    local answer
    read -r -p "Install them? [Y/n] " answer
    [[ -z $answer || $answer == [Yy]* ]] || fail "not installed; --no-install goes on without them"
}

# Debian starts a web server as soon as it is installed, on port 80. This one is not wanted there: while packages are
# being installed, a policy (invoke-rc.d(8)) says so, unless the machine has a policy of its own. One that was left behind
# by an installation that was killed is known by its second line.
apt_install() (
    policy=/usr/sbin/policy-rc.d
    mark="# While Tandem installs packages."
    if [[ ! -e $policy ]] || grep -qxF "$mark" "$policy"; then
        trap 'as_root rm -f "$policy"' EXIT
        printf '#!/bin/sh\n%s\nexit 101\n' "$mark" | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
)

# install_packages CLASS…
install_packages() {
    [[ $INSTALL == yes ]] || return 0
    command -v dpkg-query >/dev/null || fail "this is not Debian: install what README.md lists, then use --no-install"
    local missing
    mapfile -t missing < <(packages_missing "$@")
    ((${#missing[@]})) || return 0
    say "Missing packages: ${missing[*]}"
    agree
    trap 'exit 130' INT                # apt finishes what it has begun, and would hide that one wants to stop
    as_root apt-get update -q
    apt_install "${missing[@]}" || fail "the packages could not be installed"
    trap - INT
}
