"""Tests of plain modules and worker against emulators of AWS that others wrote: `make conformance`.

DynamoDB is dynalite's, from npm, as its lock file in requirements/conformance says. EMULATOR names the URL of an
emulator of the other services (S3, SQS, SNS, EventBridge, CloudWatch), where one runs; Batch is always the local AWS's.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from filebatch_local.base.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "conformance"
FOLDER = ROOT / ".local" / "conformance"
TESTS = [f"tests/filebatch/{part}" for part in ("core", "runs", "intake", "queries")] + ["tests/filebatch_worker"]
STARTS_WITHIN = 30.0  # seconds
# Tests of what dynalite does unlike AWS, each with what that is.
UNLIKE_AWS = {
    "tests/filebatch/core/test_history.py::"
    "test_a_history_is_bounded_in_number_and_keeps_how_it_began_and_how_it_goes_on": "it finds no two lists equal",
}
# Likewise of LocalStack's other services.
UNLIKE_AWS_OTHERS = {
    f"tests/filebatch_worker/test_fetch.py::"
    f"test_a_file_that_its_sender_put_out_of_reach_is_invalid[{how}-sealed3-encrypted]": "it reads what lies under a "
    "KMS key of another account"
    for how in ("whole", "in parts")
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tests; return pytest's exit code, 0 where there is no npm to have an emulator by."""
    parser = argparse.ArgumentParser(prog="conformance", description="A second opinion on what the local AWS says.")
    parser.add_argument("--emulator", help="URL of an emulator of all other services but Batch")
    parser.add_argument(
        "tests", nargs="*", default=TESTS, help="tests, in pytest's words (default: all that ask an AWS)"
    )
    options = parser.parse_args(arguments)
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        _say("NOT TRIED: there is no npm on the path, so no DynamoDB but the local AWS's own was asked anything")
        return 0
    others = {"FILEBATCH_EMULATOR": options.emulator} if options.emulator else {}
    if not others:
        _say("NOT TRIED: S3, SQS, SNS, EventBridge and CloudWatch of others: it takes an emulator of these that runs, ")
        _say("and EMULATOR=URL to name it; docs/testing.md says how LocalStack is installed and started")
    _install(npm)
    with _dynalite(node) as url:
        command = [sys.executable, "-m", "pytest", "--numprocesses", "2", "--dist", "loadfile", "--on-aws"]
        command += [f"--deselect={test}" for test in [*UNLIKE_AWS, *(UNLIKE_AWS_OTHERS if others else ())]]
        environment = {**os.environ, **others, "FILEBATCH_EMULATOR_DYNAMODB": url}
        return subprocess.run([*command, *options.tests], cwd=ROOT, env=environment, check=False).returncode


def _install(npm: str) -> None:
    """Install what the lock file says, unless it is there already."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    installed = FOLDER / "installed.json"
    locked = (LOCK / "package-lock.json").read_bytes()
    if installed.exists() and installed.read_bytes() == locked:
        return
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(LOCK / name, FOLDER)
    # No package's own script runs.
    ended = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER, check=False)
    if ended.returncode:
        raise SystemExit(
            f"== conformance: npm ci ended with {ended.returncode} (its reason is above), so there is no dynalite. "
            f"Expected the packages of {LOCK.relative_to(ROOT)}/package-lock.json from the registry that npm is set up "
            "with: is it reachable? `npm config get registry` says which it is, `npm config set registry URL` names "
            "another."
        )
    installed.write_bytes(locked)


@contextlib.contextmanager
def _dynalite(node: str) -> Iterator[str]:
    """Run dynalite on loopback while the block runs; yield its URL."""
    port = free_port()
    program = FOLDER / "node_modules" / "dynalite" / "cli.js"
    options = ["--host", "127.0.0.1", "--port", str(port), "--createTableMs", "0", "--deleteTableMs", "0"]
    process = subprocess.Popen([node, str(program), *options], stdout=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + STARTS_WITHIN
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        try:
            ask.open(url, timeout=5).close()
        except urllib.error.HTTPError:
            return  # it refuses what isn't signed, so it is there
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"dynalite didn't answer at {url} within {STARTS_WITHIN:.0f} s: expected a server, see above")


def _say(text: str) -> None:
    sys.stdout.write(f"== conformance: {text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
