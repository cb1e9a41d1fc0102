# The steps of CI by name; they live in .ci/steps.sh, so that what passes here passes there.

# Every step in order of cost.
all:
    bash .ci/steps.sh all

# Installs what the steps need (as root, Debian).
setup:
    bash .ci/steps.sh setup

format:
    bash .ci/steps.sh format

lint:
    bash .ci/steps.sh lint

# Floors, budgets, words, migrations, dependencies.
house:
    bash .ci/steps.sh house

doc:
    bash .ci/steps.sh doc

deny:
    bash .ci/steps.sh deny

sqlite:
    bash .ci/steps.sh sqlite

postgres:
    bash .ci/steps.sh postgres

vectors:
    bash .ci/steps.sh vectors

consent:
    bash .ci/steps.sh consent

# Erasure, restores and the clock, on the real program.
rights:
    bash .ci/steps.sh rights

policy:
    bash .ci/steps.sh policy

webhooks:
    bash .ci/steps.sh webhooks

# The pages in a browser.
pages:
    bash .ci/steps.sh pages

e2e:
    bash .ci/steps.sh e2e

# Speed as ratios to the plain limits of this machine.
bench:
    bash .ci/steps.sh bench

# The outputs in README.md, taken anew from the running demo.
tour:
    cargo build --locked --release
    /usr/bin/python3 tests/e2e/tour.py --binary target/release/guest-vault --write

schema:
    bash .ci/steps.sh schema

siem:
    bash .ci/steps.sh siem
