#!/bin/bash
# What a user can set or read is documented: options, metrics, programs, and their options.
# shellcheck source=check/tree/tap.sh
. "$(dirname "$0")/tap.sh"

BUILD=${TANDEM_BUILDDIR:-.}

stale_page() {
    "$BUILD/option-pages" "$1" | diff - "$2" >/dev/null ||
        echo "$2 is not what its table says; run make update-option-pages"
}

# The paths of all options.
options() {
    sed -nE 's/^ *(INTEGER|MODE|TEXTUAL|CHOICE|SECRET|OUTSIDE|HIDDEN)\(OPTION_[A-Z_]+, "([a-z_.]+)".*/\2/p' shared/conf/option_table.h
}

# As many as there are rows, so that one that is written otherwise is not passed over.
unread_options() {
    local rows
    rows=$(grep -cE '^ *[A-Z]+\(OPTION_' shared/conf/option_table.h)
    [[ $(options | wc -l) == $((rows - $(grep -cE '^ *ROW\(OPTION_' shared/conf/option_table.h))) ]] ||
        echo "not every row of shared/conf/option_table.h could be read"
}

unwritten_help() {
    options | while read -r option; do
        grep -qF ".It Ic $option No" etc/tandem.conf.5 || echo "$option is not in tandem.conf(5)"
    done
}

unsampled() {
    local option sample
    options | while read -r option; do
        for sample in etc/tandem.conf etc/tandem.{dev,staging,prod}.conf; do
            awk -v group="${option%%.*}" -v name="${option#*.}" '
                $1 == group && $2 == "=" { inside = 1 }
                $1 == "};" { inside = 0 }
                inside && ($1 == name || ($1 == "#" && $2 == name)) { found = 1 }
                END { exit !found }' "$sample" || echo "$option is not in $sample"
        done
    done
}

# Each has its page, which tells of every long option that --help tells of.
silent_pages() {
    local program page option
    for program in tandem-user tandem-order tandem-inventory; do
        page=apps/${program#tandem-}/$program.8
        for option in $("$BUILD/$program" --help | grep -oE -- '--[a-z-]+' | sort -u); do
            grep -qF -- "${option#-}" "$page" || echo "$page does not tell of $option"
        done
    done
}

silent_subcommands() {
    local command
    for command in "user create" "token create" "db backup" "db restore" "db check" "db vacuum" "db copy" \
        "db digest" "conf check" "conf print" "conf digest" "conf keygen" "conf sign" "conf verify" "trace list" \
        "trace show" get status endpoints "front render"; do
        grep -qE "^\.(It )?Cm $command( |\$)" apps/ctl/tandemctl.1 || echo "tandemctl.1 does not tell of $command"
        # shellcheck disable=SC2086
        "$BUILD/tandemctl" $command --help | grep -q . || echo "tandemctl $command --help is silent"
    done
}

bad_pages() {
    local page
    for page in apps/*/*.[18] etc/*.[57]; do
        mandoc -T lint -W warning "$page"
    done
}

holds "tandem.conf(5) is what the option table says" stale_page manual etc/tandem.conf.5
holds "tandem-metrics(7) is what the table of metrics says" stale_page metrics etc/tandem-metrics.7
holds "the sample settings of dev are what the option table says" stale_page sample-dev etc/tandem.dev.conf
holds "the sample settings of staging are what the option table says" stale_page sample-staging etc/tandem.staging.conf
holds "the sample settings of prod are what the option table says" stale_page sample-prod etc/tandem.prod.conf
holds "every option is in every sample" unsampled
holds "the sample settings are what the option table says" stale_page sample etc/tandem.conf
holds "every option can be read from the table" unread_options
holds "every option is in tandem.conf(5)" unwritten_help
holds "every option of a service is in its page" silent_pages
holds "every command of tandemctl is in its page and has a --help" silent_subcommands
if command -v mandoc >/dev/null; then
    holds "the pages are well-formed" bad_pages
else
    skips "the pages are well-formed" "mandoc is not installed"
fi
ends
