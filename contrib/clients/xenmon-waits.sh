#!/bin/sh
# SPDX-License-Identifier: MIT
# Which domains wait for a pCPU more than they should: one a line, worst first; exit 1 when there are any, 2 when the
# server does not say how it is now, as where xenbaked is gone and only its last numbers are left.
#
# usage: xenmon-waits.sh [URL [SHARE]]    SHARE of the time of all its vCPUs, 0.05 when not given
# XENMON_TOKEN: what the server's --token-file has.  Needs curl and jq, and xenmon-curl.sh beside it.
set -eu
url=${1:-http://localhost:8436}
share=${2:-0.05}

ask() {
    "$(dirname "$0")/xenmon-curl.sh" --silent --show-error --fail-with-body "$1"
}

if ! answer=$(ask "$url/api/v1/domains?window=10s"); then
    printf '%s' "$answer" | jq -r '"xenmon-waits: " + .error.message' >&2 2>/dev/null || true
    exit 2
fi
state=$(printf '%s' "$answer" | jq -r '.state')
case $state in
    running | restarted) ;;
    *)
        echo "xenmon-waits: the server has old numbers only: xenbaked is $state" >&2
        exit 2
        ;;
esac
late=$(printf '%s' "$answer" | jq -r --argjson share "$share" '
    [.domains[] | select(.windows["10s"].wait_ratio > $share)]
    | sort_by(-.windows["10s"].wait_ratio)[]
    | [.name // "domain \(.domid)", "\(.windows["10s"].wait_ratio * 1000 | round / 10) %",
       (.windows["10s"].wait_p["99"] | if . == null then "length of waits not known"
        else "99% of waits within \(. * 1000000 | round / 1000) ms" end)]
    | join("  ")')
[ -z "$late" ] || { printf '%s\n' "$late"; exit 1; }
