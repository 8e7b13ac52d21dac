#!/bin/sh
# Turns a folder of NNN_name.sql files into a C file with `const struct migration_set NAME_migrations`, on standard
# output. The numbers go from 001 without gaps. Used by the makefile; see shared/state/local.mk for the rule to copy.
#
# usage: embed.sh NAME FOLDER
set -eu
LC_ALL=C
export LC_ALL

[ $# -eq 2 ] || { echo "usage: embed.sh NAME FOLDER" >&2; exit 2; }
name=$1
folder=$2
case $name in
    '' | *[!a-z0-9_]*) echo "embed.sh: $name: a name is made of a-z, 0-9 and _" >&2; exit 2 ;;
esac

set -- "$folder"/[0-9][0-9][0-9]_*.sql
[ -f "$1" ] || { echo "embed.sh: $folder: no NNN_name.sql there" >&2; exit 1; }

exec awk -v set_name="$name" '
function fail(message) {
    print "embed.sh: " message > "/dev/stderr"
    failed = 1
    exit 1
}

BEGIN {
    print "/* Made by shared/state/embed.sh from the *.sql files: do not edit. */"
    print "#include \"config.h\"\n"
    print "#include \"state/migrate.h\"\n"
    print "extern const struct migration_set " set_name "_migrations;\n"
    print "static const struct migration migrations[] = {"
}

FNR == 1 {
    if (count > 0)
        print "    },"
    count++
    file = FILENAME
    sub(/^.*\//, "", file)
    if (substr(file, 1, 3) + 0 != count)
        fail(file ": number " sprintf("%03d", count) " was expected")
    sub(/\.sql$/, "", file)
    printf "    {%d, \"%s\",\n", count, file
}

{
    gsub(/[\\"?]/, "\\\\&")
    print "        \"" $0 "\\n\""
}

END {
    if (failed)
        exit 1
    if (count + 0 != ARGC - 1)
        fail("a file is empty")
    print "    },\n};\n"
    print "const struct migration_set " set_name "_migrations = {"
    print "    \"" set_name "\", migrations, sizeof migrations / sizeof migrations[0],"
    print "};"
}
' "$@"
