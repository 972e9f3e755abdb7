#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The completion offers what the programs understand.  TAP on stdout.
#
#   completion.sh XENMON XENBAKED COMPLETION
set -u
xenmon=$1 xenbaked=$2
# shellcheck source=/dev/null
. "$3"
# shellcheck disable=SC2317 # called by the completion
compopt() { :; } # there is no completion going on

number=0 failed=0
# offers WHAT NOT-WHAT WORDS...: completing the words offers the first and not the second.
offers() {
    local want=$1 deny=$2 line
    shift 2
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _xenmon "$1"
    line=" ${COMPREPLY[*]} "
    number=$((number + 1))
    if [[ $line == *" $want "* && $line != *" $deny "* ]]; then
        echo "ok $number - ${*:2} -> $want"
    else
        failed=1
        echo "# offered:$line"
        echo "not ok $number - ${*:2} -> $want"
    fi
}

offers report xenbaked "$xenmon" rep
offers --format= --frames= "$xenmon" report --f
offers --frames= --format= "$xenmon" live --fr
offers --from-start --frames= "$xenmon" log --fr
offers --from-start --frames= "$xenmon" -n --fr
offers --version --view= "$xenmon" --ver
offers json jsonl "$xenmon" report --format = j
offers csv json "$xenmon" log --format = ""
offers --show-config --format= "$xenbaked" --sh
offers prompt text "$xenbaked" --order = p
echo "1..$number"
exit "$failed"
