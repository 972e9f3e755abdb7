#!/bin/sh
# SPDX-License-Identifier: MIT
# curl with the token in XENMON_TOKEN, which others do not see on the command line, and which goes in clear to this
# machine alone.
#
# usage: xenmon-curl.sh [OPTIONS OF CURL...] URL    the URL comes last; the server sends no redirects, so none is followed
set -eu
[ $# -gt 0 ] || { echo "usage: xenmon-curl.sh [OPTIONS OF CURL...] URL" >&2; exit 2; }
[ -n "${XENMON_TOKEN-}" ] || exec curl "$@"

refuse() {
    echo "xenmon-curl: $1" >&2
    exit 2
}

for url; do :; done
case $url in
    https://*) ;;
    http://*)
        host=${url#http://}
        host=${host%%/*}
        case $host in
            *@*) refuse "a URL with a user in it is not asked with a token" ;;
            localhost | localhost:* | 127.0.0.1 | 127.0.0.1:* | '[::1]' | '[::1]':*) ;;
            *) refuse "the token would go to $host in clear: use https" ;;
        esac
        ;;
    *) refuse "a URL begins with https:// or http://" ;;
esac
case $XENMON_TOKEN in
    *[![:print:]]*) refuse "a control character in XENMON_TOKEN" ;;
esac
# Inside the quotes of a configuration file a backslash takes the next character as it is.
token=$(printf '%s' "$XENMON_TOKEN" | sed 's/[\\"]/\\&/g')
unset XENMON_TOKEN
# A proxy would read what goes in clear.
[ "${url#http://}" = "$url" ] || set -- --noproxy '*' "$@"
exec curl --config - "$@" <<EOF
header = "Authorization: Bearer $token"
EOF
