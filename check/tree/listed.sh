#!/bin/bash
# What is in the tree is built and shipped.
# shellcheck source=check/tree/tap.sh
. "$(dirname "$0")/tap.sh"

MAKEFILES=$(cat Makefile.am; find apps shared check etc container -name '*.mk' -exec cat {} +)

unlisted() {
    local file
    while read -r file; do
        grep -qF -- "$file" <<<"$MAKEFILES" || echo "$file"
    done
}

missing() {
    grep -oE '(apps|shared|check|etc)/[A-Za-z0-9_/.-]+\.[ch]\b' <<<"$MAKEFILES" | grep -v '_migrations\.c$' | sort -u |
        while read -r file; do [[ -e $file ]] || echo "$file"; done
}

# What configure asks for by its Debian name is in the one list of packages.
unlisted_packages() {
    local name
    grep -oE '\[[a-z0-9-]+-dev\]|Debian: [a-z0-9-]+' m4/*.m4 configure.ac | sed -E 's/.*(\[|: )//; s/\]//' | sort -u |
        while read -r name; do grep -qE "^(run|check) +$name\$" etc/debian-packages || echo "$name"; done
}

unlisted_sources() {
    sources | unlisted
}

# A file that a template makes is not shipped.
unlisted_etc() {
    find etc -type f -not -name '*.mk' -not -name '*~' | while read -r file; do
        [[ -e $file.in ]] || echo "$file"
    done | unlisted
}

holds "every C file is in a makefile" unlisted_sources
holds "every C file of a makefile is there" missing
holds "every file under etc/ is in a makefile" unlisted_etc
holds "every package that configure names is in etc/debian-packages" unlisted_packages
ends
