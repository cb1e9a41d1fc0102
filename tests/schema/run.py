#!/usr/bin/env python3
"""Asks every call of the contract, as every kind of caller, for what its schema allows and what it does not (PyPI `schemathesis`).

Exit code 0: no answer was a 5xx, each had a status, a content type and a body that docs/openapi.json names for it. The
vault is a demo; what is asked is invented by Schemathesis from the published contract, with a fixed seed.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

# Role of the key, and the purpose that it can name.
CALLERS = [
    ("compliance_officer", "subject_request"),
    ("front_desk", "check_in"),
    ("integration", "booking"),
    ("crm", "loyalty"),
    ("admin", "administration"),
    ("auditor", "audit"),
    ("partner", "third_party:spa_partner"),
]
CHECKS = ",".join(
    [
        "not_a_server_error",
        "status_code_conformance",
        "content_type_conformance",
        "response_headers_conformance",
        "response_schema_conformance",
    ]
)
LIMIT_SECONDS = 900


def ask(vault, role, purpose, examples, seed):
    """Runs Schemathesis as one caller; its status."""
    headers = {
        "Authorization": f"Bearer {vault['keys'][role]}",
        "Vault-Property": vault["properties"][0],
        "Vault-Purpose": purpose,
        "Vault-Actor": f"schema-{role}",
        "Vault-Reason": "schema test",
    }
    tool = pathlib.Path(sys.executable).with_name("schemathesis")
    command = [str(tool), "run", vault["url"] + "/openapi.json"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    command += ["--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples)]
    command += ["--seed", str(seed), "--suppress-health-check", "all", "--no-color"]
    hooks = {"SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(pathlib.Path(__file__).parent)}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            command, cwd=folder, env={**os.environ, **hooks}, capture_output=True, text=True, timeout=LIMIT_SECONDS
        )
    told = done.stdout.splitlines()
    summary = [line.strip() for line in told if "generated" in line or "Tested:" in line]
    print(f"{role}: {'; '.join(summary)}", flush=True)
    if done.returncode != 0:
        print("\n".join(told[-400:]), done.stderr[-2000:], sep="\n")
    return done.returncode


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--binary", required=True)
    options.add_argument("--examples", type=int, default=5, help="how many random cases a call")
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--role", help="only this caller")
    options = options.parse_args()
    command = [options.binary, "demo", "--port", "0", "--guests", "60", "--json"]
    vault = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        about = json.loads(vault.stdout.readline())
        failed = [
            role
            for role, purpose in CALLERS
            if options.role in (None, role) and ask(about, role, purpose, options.examples, options.seed) != 0
        ]
    finally:
        vault.terminate()
        vault.wait(timeout=60)
    if failed:
        sys.exit(f"against the contract as: {', '.join(failed)}")


if __name__ == "__main__":
    main()
