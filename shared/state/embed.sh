#!/bin/sh
# Turns a folder of NNN_name.sql files into a C file with `const struct migration_set NAME_migrations`, on standard
# output. The numbers go from 001 without gaps. NNN_name.postgresql.sql beside one is the same in PostgreSQL's language.
# Used by the makefile; see shared/state/local.mk for the rule to copy.
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

set -- "$folder"/[0-9][0-9][0-9]_*.sql   # NNN_name.postgresql.sql comes before NNN_name.sql
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

# A file has ended: keeps its text, or writes the migration that it makes whole.
function finish() {
    if (file == "")
        return
    if (text == "")
        fail("a file is empty")
    if (sub(/\.postgresql$/, "", file)) {
        other_name = file
        other = text
        return
    }
    if (substr(file, 1, 3) + 0 != ++count)
        fail(file ".sql: number " sprintf("%03d", count) " was expected")
    if (other != "" && other_name != file)
        fail(other_name ".postgresql.sql: there is no " other_name ".sql")
    printf "    {%d, \"%s\",\n%s     ,\n%s    },\n", count, file, text, other == "" ? "        NULL\n" : other
    other = ""
}

FNR == 1 {
    finish()
    seen++
    file = FILENAME
    text = ""
    sub(/^.*\//, "", file)
    sub(/\.sql$/, "", file)
}

{
    gsub(/[\\"?]/, "\\\\&")
    text = text "        \"" $0 "\\n\"\n"
}

END {
    if (failed)
        exit 1
    if (seen + 0 != ARGC - 1)
        fail("a file is empty")
    finish()
    if (other != "")
        fail(other_name ".postgresql.sql: there is no " other_name ".sql")
    print "};\n"
    print "const struct migration_set " set_name "_migrations = {"
    print "    \"" set_name "\", migrations, sizeof migrations / sizeof migrations[0],"
    print "};"
}
' "$@"
