#!/bin/sh
# SPDX-License-Identifier: MIT
# The live stream as JSON Lines, for jq and for files: time, and each domain's shares.  It comes back after a break.
#
# usage: xenmon-follow.sh [URL [COUNT]]    COUNT events, 0 or nothing: for ever
# XENMON_TOKEN: what the server's --token-file has.  Needs curl and jq, and xenmon-curl.sh beside it.
set -eu
url=${1:-http://localhost:8436}
count=${2:-0}
"$(dirname "$0")/xenmon-curl.sh" --silent --show-error --no-buffer --fail --retry 1000 --retry-delay 2 --retry-connrefused \
    "$url/api/v1/stream?window=1s" |
    sed -u -n 's/^data: //p' |
    { if [ "$count" -gt 0 ]; then head -n "$count"; else cat; fi; } |
    jq --unbuffered -c 'select(.domains) | {time, domains: [.domains[] | {domid, name} + (.windows["1s"]
        | {running_ratio, wait_ratio, blocked_ratio, unknown_ratio})]}'
