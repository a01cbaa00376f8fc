# shellcheck shell=bash
#
# What every script here shares: where the checkout is, how to speak, how to stop.
# Sourced, never run:  . "${BASH_SOURCE[0]%/*}/lib.sh"
#
# Messages go to standard error, so that standard output holds only what was asked for.
# Exit codes are those of the weir command itself, so that one table serves both.

# shellcheck disable=SC2034 # used by the scripts that source this file
readonly EX_USAGE=64 EX_DATA=65 EX_UNAVAILABLE=69 EX_CONFIG=78

root=$(cd -- "${BASH_SOURCE[0]%/*}/.." && pwd -P)
readonly root

# note TEXT... : one line for the person who waits, under the script's name.
note()
{
    printf '%s: %s\n' "${0##*/}" "$*" >&2
}

# die CODE TEXT... : what happened, to what, and what to do; then stop.
die()
{
    local code=$1
    shift
    note "$*"
    exit "$code"
}

# usage : prints the script's own header comment, which is its manual.
usage()
{
    sed -n '1,2d; /^#/!q; s/^# \{0,1\}//p' "$0"
}

# packages_of GROUP... : the names listed under these groups in scripts/packages, one a line.
packages_of()
{
    local wanted=" $* " group='' line
    while IFS= read -r line; do
        line=${line%%#*}
        case $line in
        '['*']'*) group=${line#'['} group=${group%%']'*} ;;
        *[![:space:]]*) [[ $wanted != *" $group "* ]] || printf '%s\n' "${line%%[[:space:]]*}" ;;
        esac
    done <"$root/scripts/packages"
}

# commit_name : what the checkout holds, for a table of results: the commit, and whether it was changed since,
# other than by the tables themselves.
commit_name()
{
    local changed=''
    git -C "$root" diff --quiet HEAD -- . ':(exclude)*/RESULTS.md' || changed=-dirty
    printf '%s%s\n' "$(git -C "$root" rev-parse --short=8 HEAD)" "$changed"
}

# record FILE HEAD ROW... : adds rows to the table of results in FILE, which HEAD (a command that gets
# the rows on its standard input) begins: title, sums, and the table's two first lines.
record()
{
    local file=$1 head=$2 rows
    shift 2
    rows=$(
        [[ ! -f $file ]] || grep '^| 20' "$file" || true
        printf '%s\n' "$@"
    )
    {
        "$head" <<<"$rows"
        printf '%s\n' "$rows"
    } >"$file.part"
    mv "$file.part" "$file"
}
