#!/bin/sh
# Runs a throw-away PostgreSQL until stdin closes: the tests hold the other end of the pipe, so the cluster
# goes away however they end. Arg 1: an empty directory owned by the runner; initdb and postgres on PATH.
set -eu
dir=$1
initdb -D "$dir/data" -U test -A trust -E UTF8 --no-locale -N >/dev/null
# A UNIX socket only, and nothing is flushed: the data need not outlive the machine, only look the same.
postgres -D "$dir/data" -c listen_addresses= -c unix_socket_directories="$dir" \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c wal_compression=off \
    -c max_connections=300 -c max_wal_size=256MB -c log_statement=all -c log_parameter_max_length=0 \
    >"$dir/log" 2>&1 </dev/null &
pid=$!
until pg_isready -q -h "$dir" -U test; do
    kill -0 $pid || { cat "$dir/log" >&2; exit 1; }
    sleep 0.02
done
echo ready
cat >/dev/null || true
kill -QUIT $pid
wait $pid || true
rm -rf "$dir"
