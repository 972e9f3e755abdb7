#!/bin/sh
# SPDX-License-Identifier: MIT
# The live stream as JSON Lines, for jq and for files: time, state, and each domain's shares.  It comes back after a break.
# A state other than "running" and "restarted": the shares are the last there were, or there are none, and domains is null.
#
# usage: xenmon-follow.sh [URL [COUNT]]    COUNT events, 0 or nothing: for ever
# XENMON_TOKEN: what the server's --token-file has.  Needs curl and jq, and xenmon-curl.sh beside it.
set -eu
url=${1:-http://localhost:8436}
count=${2:-0}
# Whoever has COUNT events goes, and curl's word about that is of no use to anybody.
{ "$(dirname "$0")/xenmon-curl.sh" --silent --show-error --no-buffer --fail --retry 1000 --retry-delay 2 --retry-connrefused \
    "$url/api/v1/stream?window=1s" 2>&1 >&3 3>&- | sed -u '/^curl: (23)/d' >&2; } 3>&1 |
    sed -u -n 's/^data: //p' |
    { if [ "$count" -gt 0 ]; then head -n "$count"; else cat; fi; } |
    jq --unbuffered -c '{time, state, domains: (.domains | if . then [.[] | {domid, name} + (.windows["1s"]
        | {running_ratio, wait_ratio, blocked_ratio, unknown_ratio})] else null end)}'
