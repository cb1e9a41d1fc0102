#!/usr/bin/env bash
# Speed as ratios: the vault on SQLite and on PostgreSQL beside the plain limits of this machine, in one run.
# Needs the release build, PostgreSQL with pgbench, wrk and python3; as root on Debian it installs wrk.
# ROUNDS (3) and SECONDS_EACH (5) set how long it takes; with UNRECORDED=1 it also builds the program that records no
# read (the feature `bench-unrecorded`), to tell what a record costs. Sends its load to 127.0.0.1 only, and stops by itself.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
for bin in /usr/lib/postgresql/*/bin; do PATH=$PATH:$bin; done
if ! command -v wrk >/dev/null; then
    [ "$(id -u)" = 0 ] || { echo "install wrk first" >&2; exit 1; }
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install wrk >/dev/null
fi
for program in initdb pgbench wrk; do
    command -v "$program" >/dev/null || { echo "$program is missing" >&2; exit 1; }
done
[ -x target/release/guest-vault ] || cargo build --locked --release
if [ -n "${UNRECORDED:-}" ]; then
    export UNRECORDED=target/guest-vault-unrecorded
    cargo build --locked --release --features bench-unrecorded
    cp target/release/guest-vault "$UNRECORDED"
    cargo build --locked --release
fi
exec /usr/bin/python3 tests/bench/ratios.py target/release/guest-vault
