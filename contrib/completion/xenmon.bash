# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Completion for xenmon and xenbaked.  The options and the words they take come from the programs' own --help, so that
# they cannot go stale.

# Prints the help of the command line that is being completed.
_xenmon_help()
{
    local program=$1 command=$2
    if [[ $program == *xenmon ]]; then
        "$program" "$command" --help 2>/dev/null
    else
        "$program" --help 2>/dev/null
    fi
}

# Long options; those that take a value end in "=".
_xenmon_options()
{
    _xenmon_help "$@" | sed -nE 's/^ +(-[a-zA-Z], )?(--[a-z_-]+)(\[?=)?.*/\2\3/p' | tr -d '['
}

# The words of an option that takes one of a few: --format=text|json|csv
_xenmon_words()
{
    local option=$1
    shift
    _xenmon_help "$@" | sed -nE "s/^ +(-[a-zA-Z], )?$option=([a-z%|-]+\|[a-z%|-]+).*/\2/p" | tr '|' '\n'
}

_xenmon()
{
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} program=$1
    local commands="live report log record sim sim-ctl study help" command=live option=
    COMPREPLY=()

    if [[ $program == *xenmon && " $commands batch " == *" ${COMP_WORDS[1]} "* && $COMP_CWORD -gt 1 ]]; then
        command=${COMP_WORDS[1]}
    elif [[ $program == *xenmon && ${COMP_WORDS[1]} == -n && $COMP_CWORD -gt 1 ]]; then
        command=log
    fi
    # "=" is a word of its own to bash
    if [[ $current == "=" ]]; then
        option=$previous current=
    elif [[ $previous == "=" ]]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $previous == --* && $current != -* ]]; then
        option=$previous
    fi

    if [[ -n $option ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_xenmon_words "$option" "$program" "$command")" -- "$current")
        [[ ${#COMPREPLY[@]} -gt 0 ]] && return
    fi
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_xenmon_options "$program" "$command")" -- "$current"
            [[ $program == *xenmon && $COMP_CWORD -eq 1 ]] && compgen -W --version -- "$current")
        [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace
        return
    fi
    if [[ $program == *xenmon && ( $COMP_CWORD -eq 1 || $command == help ) ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$current"; compgen -f -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
    compopt -o filenames 2>/dev/null
}

complete -F _xenmon xenmon xenbaked
