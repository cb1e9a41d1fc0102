#!/bin/sh
# nextest runs each test in a process of its own, so the cluster is started once, here, and outlives this
# script: `tail --pid` holds pg.sh's stdin open until the test runner (our parent) is gone.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
for bin in /usr/lib/postgresql/*/bin; do PATH=$PATH:$bin; done
command -v initdb >/dev/null || exit 0
dir=$(mktemp -d)
as=""
if [ "$(id -u)" = 0 ]; then
    chown postgres "$dir"
    as="setpriv --reuid=postgres --regid=postgres --clear-groups"
fi
script=$(cat "$here/pg.sh")
(tail --pid="$PPID" -f /dev/null | (cd / && exec $as sh -c "$script" pg "$dir") >"$dir.ready" 2>"$dir.err") </dev/null >/dev/null 2>&1 &
i=0
until grep -q ready "$dir.ready" 2>/dev/null; do
    i=$((i + 1))
    [ $i -lt 500 ] || { cat "$dir.err" >&2; exit 1; }
    sleep 0.02
done
rm -f "$dir.ready" "$dir.err"
echo "TEST_PG_DIR=$dir" >>"$NEXTEST_ENV"
