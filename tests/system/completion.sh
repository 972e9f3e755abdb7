#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The completion offers what the programs understand.  TAP on stdout.
#
#   completion.sh XENMON XENBAKED
# shellcheck disable=SC2154,SC2317 # what the completion sets; what try calls
set -u
xenmon=$1 xenbaked=$2
script=$(mktemp)
trap 'rm -f "$script"' EXIT
"$xenmon" completion bash >"$script"
# shellcheck source=/dev/null
. "$script"
# shellcheck disable=SC2317 # called by the completion
compopt() { :; } # there is no completion going on

number=0 failed=0
result() {
    number=$((number + 1))
    if [[ $1 == 0 ]]; then
        echo "ok $number - $2"
    else
        failed=1
        echo "not ok $number - $2"
    fi
}
complete_words() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _xenmon "$1"
}
# offers WHAT NOT-WHAT WORDS...: completing the words offers the first and not the second.
offers() {
    local want=$1 deny=$2 line
    shift 2
    complete_words "$@"
    line=" ${COMPREPLY[*]} "
    [[ $line == *" $want "* && $line != *" $deny "* ]]
    local good=$?
    [[ $good == 0 ]] || echo "# offered:$line"
    result "$good" "${*:2} -> $want"
}

offers report xenbaked "$xenmon" rep
offers completion report "$xenmon" comp
offers fish text "$xenmon" completion f
offers sim-ctl bash "$xenmon" help s
offers --format= --frames= "$xenmon" report --f
offers --frames= --format= "$xenmon" live --fr
offers --from-start --frames= "$xenmon" log --fr
offers --from-start --frames= "$xenmon" -n --fr
offers --version --view= "$xenmon" --ver
offers --view= --version "$xenmon" --vi
offers latency jsonl "$xenmon" --view = la
offers paper COLUMN "$xenmon" live --view ""
offers high-contrast auto "$xenmon" live --theme = ""
offers json jsonl "$xenmon" report --format = j
offers csv json "$xenmon" log --format = "c"
offers --set= --format= "$xenmon" sim --se
offers --quick --set= "$xenmon" study --qu
offers --show-config --format= "$xenbaked" --sh
offers prompt text "$xenbaked" --order = p
offers "$xenmon" text "$xenmon" report "$xenmon"
offers --from-start --metric "$xenmon" batch --fr
offers run wait "$xenmon" live --sort = r
offers -run wait "$xenmon" --sort = -r
offers run,wait run "$xenmon" --columns = run,w
offers running_ns run "$xenmon" log --metric = running_n
if [[ -n $(_xenmon_follow history) ]]; then
    offers runs report "$xenmon" history ru
    offers keep sim "$xenmon" history k
    for sub in $(_xenmon_follow history); do
        helped=$("$xenmon" history "$sub" --help | grep -oE '^ +(-[a-zA-Z], )?--[a-zA-Z0-9_.-]+' | sed -E 's/.*--/--/' | sort -u)
        complete_words "$xenmon" history "$sub" --
        offered=$(printf '%s\n' "${COMPREPLY[@]}" | sed 's/=$//' | sort)
        [[ -n $helped && $helped == "$offered" ]]
        result $? "history $sub: as its --help"
    done
fi

# Every option of every --help, and no other.
for command in $_xenmon_commands xenbaked; do
    [[ $command == help || $command == completion ]] && continue
    program=("$xenmon" "$command")
    [[ $command == xenbaked ]] && program=("$xenbaked")
    helped=$("${program[@]}" --help 2>/dev/null | grep -oE '^ +(-[a-zA-Z], )?--[a-zA-Z0-9_.-]+' | sed -E 's/.*--/--/' | sort -u)
    complete_words "${program[@]}" --
    offered=$(printf '%s\n' "${COMPREPLY[@]}" | sed 's/=$//' | sort)
    [[ $command == xenbaked || -n $helped ]] || continue # a program that was not built
    [[ -n $helped && $helped == "$offered" ]]
    good=$?
    [[ $good == 0 ]] || diff <(echo "$helped") <(echo "$offered") | sed 's/^/# /'
    result "$good" "$command: as its --help"
done

# The other shells read what is made for them, and have it too.
try() {
    local shell=$1 name=$2
    shift 2
    if ! command -v "$shell" >/dev/null; then
        number=$((number + 1))
        echo "ok $number - $name # SKIP no $shell"
        return
    fi
    "$@"
    result $? "$name"
}
in_zsh() {
    "$xenmon" completion zsh >"$script" && zsh -fc '
        autoload -U compinit && compinit -u -D && . "$1" && [[ ${_comps[xenmon]} == _xenmon ]] &&
        [[ ${_comps[xenbaked]} == _xenmon ]] &&
        functions _xenmon_command | grep -q -- "--view=.*latency" &&
        functions _xenmon_command | grep -q -- "compadd -- .*--list-metrics" && functions _xenmon_names | grep -q "report:"
    ' zsh "$script"
}
in_fish() {
    local line
    "$xenmon" completion fish >"$script" || return 1
    # shellcheck disable=SC2016 # it is fish that expands
    line=$(fish --no-config -c '. $argv[1]; complete -C "xenmon rep"; complete -C "xenmon report --form";
        complete -C "xenmon --view "; complete -C "xenbaked --show"; complete -C "xenmon log --fram"' "$script")
    [[ $line == *report*--format*latency*--show-config* && $line != *--frames* ]]
}
try zsh "zsh takes it" in_zsh
try fish "fish takes it" in_fish

"$xenmon" completion tcsh >/dev/null 2>"$script"
[[ $? == 2 && $(wc -l <"$script") == 1 ]]
result $? "another shell: one line, 2"
"$xenmon" completion >/dev/null 2>"$script"
[[ $? == 2 && $(wc -l <"$script") == 1 ]]
result $? "no shell: one line, 2"
echo "1..$number"
exit "$failed"
