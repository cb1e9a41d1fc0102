#!/usr/bin/env python3
"""Takes the README's tour against a running demo and compares what is printed with what the README says.

The tour is every ```console block between `<!-- tour -->` and `<!-- /tour -->`: lines that begin with `$ ` are run,
in one shell, in order; the lines below them are what must come out. Ids, keys, times, dates and ports differ from
run to run and are compared as such. `--write` puts the real output into the README instead.
"""

import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS, STOP_SECONDS, TOUR_SECONDS = 120, 40, 120
MARK = "\x1e"

VARYING = [
    (r"\bgv_[A-Za-z0-9_-]+", "<key>"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "<time>"),
    (r"\b20\d\d-\d\d-\d\d\b", "<date>"),
    (r"127\.0\.0\.1:\d+", "<address>"),
]


def same(text):
    """The text with what differs from run to run replaced by what it is."""
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def blocks(readme):
    """Where the tour's console blocks lie in the text: (start, end) of what is inside each."""
    tours = [m.span(1) for m in re.finditer(r"<!-- tour -->(.*?)<!-- /tour -->", readme, re.S)]
    return [
        (begin + m.start(1), begin + m.end(1))
        for begin, end in tours
        for m in re.finditer(r"```console\n(.*?)```", readme[begin:end], re.S)
    ]


def steps(block):
    """The commands of a block, each with the output that is written under it."""
    found, lines = [], block.splitlines()
    while lines:
        line = lines.pop(0)
        if line.startswith("$ "):
            command = [line[2:]]
            # A command goes on after a backslash, and in lines that are indented.
            while lines and (command[-1].endswith("\\") or lines[0].startswith("  ")):
                command.append(lines.pop(0))
            found.append(["\n".join(command), []])
        elif found:
            found[-1][1].append(line)
        else:
            sys.exit(f"tour: output before any command: {line}")
    return [(command, "\n".join(output)) for command, output in found]


def wait_for_demo(demo, answer):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if demo.poll() is not None:
            sys.exit(f"tour: the demo ended with {demo.returncode} before it was ready")
        text = answer.read_text()
        if text.endswith("\n"):
            return json.loads(text)
        time.sleep(0.05)
    sys.exit("tour: the demo was not ready in time")


def take(commands, folder):
    """Runs the commands in one shell; what each printed and its exit status."""
    script = "".join(f"{{ {c}\n}} 2>&1; printf '\\n{MARK}%d{MARK}\\n' $?\n" for c in commands)
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TOUR_SECONDS
    )
    parts = done.stdout.split(MARK)
    results = [(parts[i], int(parts[i + 1])) for i in range(0, len(parts) - 1, 2)]
    if len(results) != len(commands):
        sys.exit(f"tour: the shell stopped early: {done.stderr}")
    return results


def stop(demo, data):
    demo.send_signal(signal.SIGTERM)
    try:
        status = demo.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        demo.kill()
        sys.exit("tour: the demo did not stop on SIGTERM")
    if status != 0:
        sys.exit(f"tour: the demo stopped with {status}")
    logs = [str(wal) for wal in pathlib.Path(data).rglob("*-wal") if wal.stat().st_size > 0]
    if logs:
        sys.exit(f"tour: not a clean stop, these still hold changes: {logs}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--binary", required=True, type=pathlib.Path)
    arguments.add_argument("--readme", default=ROOT / "README.md", type=pathlib.Path)
    arguments.add_argument("--write", action="store_true", help="put the real output into the README")
    arguments = arguments.parse_args()
    readme = arguments.readme.read_text()
    places = blocks(readme)
    tour = [step for begin, end in places for step in steps(readme[begin:end])]
    if not tour:
        sys.exit("tour: the README has none")

    with tempfile.TemporaryDirectory() as folder:
        answer = pathlib.Path(folder) / "demo.json"
        data = os.path.join(folder, "data")
        with open(answer, "wb") as out, open(os.path.join(folder, "stderr.log"), "wb") as log:
            demo = subprocess.Popen(
                [arguments.binary.resolve(), "demo", "--json", "--port", "0", "--data-dir", data],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=log,
            )
        try:
            wait_for_demo(demo, answer)
            results = take([command for command, _ in tour], folder)
            stop(demo, data)
        finally:
            if demo.poll() is None:
                demo.kill()
            if sys.exc_info()[0] is not None:
                print(pathlib.Path(folder, "stderr.log").read_text(errors="replace")[-4000:], file=sys.stderr)

    if arguments.write:
        return write(arguments.readme, readme, places, results)
    failed = 0
    for (command, expected), (output, status) in zip(tour, results):
        good = status == 0 and same(output) == same(expected)
        failed += not good
        print(f"{'ok' if good else 'FAILED'}  $ {command.splitlines()[0]}")
        if not good:
            print(f"exit {status}; expected:\n{expected}\ngot:\n{output.strip()}")
    print(f"{len(tour) - failed} passed, {failed} failed")
    return 1 if failed else 0


def write(path, readme, places, results):
    """The README with each output replaced by the real one; from the end, so that positions stay true."""
    left = list(results)
    for begin, end in reversed(places):
        commands = [command for command, _ in steps(readme[begin:end])]
        mine, left = left[len(left) - len(commands):], left[: len(left) - len(commands)]
        lines = []
        for command, (output, status) in zip(commands, mine):
            if status != 0:
                sys.exit(f"tour: exit {status}: {command}\n{output}")
            lines += [f"$ {command}", output.strip()]
        readme = readme[:begin] + "\n".join(line for line in lines if line) + "\n" + readme[end:]
    path.write_text(readme)
    print(f"{len(results)} outputs written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
