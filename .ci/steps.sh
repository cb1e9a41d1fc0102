#!/usr/bin/env bash
# The steps of CI, by name, for `.ci/run` and `.justfile`: `bash .ci/steps.sh STEP…`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# PostgreSQL's own programs: Debian keeps them off PATH. Called for each step, as `setup` may have brought them.
find_postgres() { for bin in /usr/lib/postgresql/*/bin; do PATH=$PATH:$bin; done; }
export PATH CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never} LC_ALL=C.UTF-8

# What the steps need beside Rust: program, file or Python module → Debian's package.
needs() {
    cat <<'TABLE'
cc            gcc
git           git
curl          curl
jq            jq
initdb        postgresql
/usr/sbin/pgbouncer  pgbouncer
/usr/bin/python3     python3
go            golang-go
/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog  golang-golang-x-mod-dev
/usr/lib/python3/dist-packages/cryptography  python3-cryptography
python:ensurepip  python3-venv
node          nodejs
npm           npm
chromium      chromium
openssl       openssl
/usr/sbin/rsyslogd  rsyslog
/usr/lib/*/rsyslog/lmnsd_gtls.so  rsyslog-gnutls
/usr/lib/*/faketime/libfaketimeMT.so.1  libfaketime
TABLE
}

# A program, a file (by a pattern), or a module of the system's Python.
present() {
    case $1 in
        python:*) /usr/bin/python3 -c "import ${1#python:}" 2>/dev/null ;;
        *) compgen -G "$1" >/dev/null || command -v "$1" >/dev/null ;;
    esac
}

setup() {
    local missing=() program package
    while read -r program package; do
        present "$program" || missing+=("$package")
    done < <(needs)
    if [ ${#missing[@]} -gt 0 ]; then
        echo "installing: ${missing[*]}"
        export DEBIAN_FRONTEND=noninteractive
        apt-get -qq update
        apt-get -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold install "${missing[@]}" >/dev/null
        find_postgres
    else
        echo "nothing to install"
    fi
    while read -r program package; do
        present "$program" || { echo "$program is missing (package $package)" >&2; return 1; }
    done < <(needs)
    cargo --version
    postgres --version
    # The components come with the toolchain here; elsewhere rustup has them.
    cargo fmt --version || rustup component add rustfmt
    cargo clippy --version || rustup component add clippy
    cargo fetch --locked --target "$(rustc -vV | sed -n "s/^host: //p")"
}

format() { cargo fmt --check; }

lint() { cargo clippy --locked --all-targets -- -D warnings; }

# Floors, budgets, words, migrations, dependencies: the rules that need no database.
house() { cargo test --locked --test it -- house:: dependencies:: migrations:: --skip postgres; }

# The text of the code; every link in it leads somewhere, also into what is private: its readers read the code.
doc() { RUSTDOCFLAGS="-D warnings -A rustdoc::private_intra_doc_links" cargo doc --locked --no-deps --document-private-items; }

deny() {
    # The same rules as the tests in `dependencies`, read by another tool where it is installed.
    if cargo deny --version >/dev/null 2>&1; then
        cargo deny --offline check licenses bans sources
    else
        echo "cargo-deny is not installed; tests/it/dependencies.rs has held licences, bans and sources"
    fi
}

# Units, doc tests and everything on SQLite.
# Go's packages are the log's foreign verifier: here their absence is an error.
sqlite() { REQUIRE_GO=1 cargo test --locked --no-fail-fast -- --skip postgres; }

# The same tests on a throw-away PostgreSQL; here its absence is an error.
postgres_tests() { REQUIRE_POSTGRES=1 cargo test --locked --no-fail-fast --lib --test it -- postgres; }

# Stored formats are what docs/formats.md says: another library opens the vectors.
vectors() {
    local script
    for script in tests/vectors/*.py; do
        echo "$script"
        /usr/bin/python3 "$script"
    done
}

# Consents shown to others: written by the tests, read by other people's tools; every yes followed to its notice.
consent() {
    python_tools cryptography==46.0.3 jsonschema==4.26.0 PyLD==3.3.0 pyshacl==0.40.1
    local records
    records=$(mktemp -d)
    CONSENT_RECORDS=$records cargo test --locked --test it -- consent_records::a_ --skip postgres
    "$PYTHON" tests/consent/validate.py "$records"
    rm -rf "$records"
    cargo build --locked
    "$PYTHON" tests/consent/notices.py --binary target/debug/guest-vault
    "$PYTHON" tests/consent/interleave.py --binary target/debug/guest-vault --seconds 10
    "$PYTHON" tests/consent/many.py --binary target/debug/guest-vault --guests 2000
}

# A tenth of a thousand guests erased, and looked for in every byte and after restores; the clock moved through years.
rights() {
    cargo build --locked
    /usr/bin/python3 tests/rights/erase.py --binary target/debug/guest-vault
    /usr/bin/python3 tests/rights/erase.py --binary target/debug/guest-vault --postgres
    /usr/bin/python3 tests/rights/clock.py --binary target/debug/guest-vault
}

# The log as systems that watch many logs take it in: other people's parsers, OCSF's released schema, rsyslog over TLS.
siem() {
    python_tools pycef==1.11 syslog-rfc5424-parser==0.3.2 ocsf-json-schema==1.2.0 jsonschema==4.26.0
    cargo build --locked
    "$PYTHON" tests/siem/check.py target/debug/guest-vault
}

# The policies that are built in pass their own table.
policy() {
    cargo run --locked --quiet -- policy check
    cargo run --locked --quiet -- policy test
}

# A newcomer's way: the release build, the demo, the README's tour, a clean stop.
e2e() {
    cargo build --locked --release
    /usr/bin/python3 tests/e2e/tour.py --binary target/release/guest-vault
}

# Tools in Python that other people wrote, in an environment of their own below `target`.
python_tools() {
    local venv=target/ci-python
    [ -x "$venv/bin/python" ] || /usr/bin/python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "$@"
    PYTHON=$venv/bin/python
}

# Somebody else's library receives our webhooks and checks their signatures.
webhooks() {
    python_tools standardwebhooks==1.0.0
    cargo build --locked
    "$PYTHON" tests/e2e/webhooks.py --binary target/debug/guest-vault
}

# People's pages in a real browser: every task, every language, phone and desk, with and without scripts.
pages() {
    npm ci --prefix tests/e2e/pages --ignore-scripts --no-audit --no-fund --loglevel=error
    cargo build --locked
    node tests/e2e/pages/run.mjs --binary target/debug/guest-vault
}

# Somebody else's tool asks every call as every kind of caller: no 5xx, each answer as the contract describes it.
schema() {
    python_tools schemathesis==4.32.5
    cargo build --locked
    "$PYTHON" tests/schema/run.py --binary target/debug/guest-vault
}

bench() {
    cargo build --locked --release
    bash tests/bench/run.sh
}

ALL=(format lint house doc deny sqlite postgres vectors consent rights siem policy webhooks schema pages e2e)

run() {
    local name=$1 function=$1 start=$SECONDS
    [ "$name" = postgres ] && function=postgres_tests
    printf '\n==> %s\n' "$name"
    # Not `if "$function"`: there `set -e` would not hold inside it.
    set +e
    (set -e; find_postgres; "$function")
    local status=$?
    set -e
    TIMES+=("$(printf '%5ss  %s' $((SECONDS - start)) "$name")")
    if [ $status -ne 0 ]; then
        printf '\n==> FAILED: %s (exit %s)\n' "$name" $status >&2
        exit 1
    fi
}

TIMES=()
for step in "${@:-all}"; do
    case $step in
        all) for each in "${ALL[@]}"; do run "$each"; done ;;
        setup | bench) run "$step" ;;
        *)
            [[ " ${ALL[*]} " == *" $step "* ]] || { echo "no step $step; there are: setup ${ALL[*]} bench all" >&2; exit 2; }
            run "$step"
            ;;
    esac
done
printf '\n==> passed\n'
printf '%s\n' "${TIMES[@]}"
