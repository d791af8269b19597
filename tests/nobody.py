"""Another user of this machine, played by whoever may: root."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

ASK = """
import sys, urllib.request, urllib.error
request = urllib.request.Request(sys.argv[1], data=sys.argv[2].encode() or None)
try:
    print(urllib.request.urlopen(request, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""
LOOK = """
import os, sys
for path in sys.argv[1:]:
    try:
        print(os.listdir(path) if os.path.isdir(path) else open(path).read())
    except OSError as error:
        print(type(error).__name__)
"""


def asks(url: str, body: str = "") -> int:
    """Return the status with which somebody else is answered."""
    return int(_python(ASK, url, body))


def reads(*paths: Path) -> list[str]:
    """Return what somebody else finds in files and folders, or the name of the error."""
    return _python(LOOK, *map(str, paths)).splitlines()


def _python(code: str, *arguments: str) -> str:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip(
            "NOT ROOT: only root can play another user of the machine (with setpriv), so that is not tried here"
        )
    user = pwd.getpwnam("nobody")
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    python = ["/usr/bin/env", "-i", shutil.which("python3", path="/usr/bin:/usr/local/bin:/bin"), "-I", "-c", code]
    ended = subprocess.run([*become, *python, *arguments], capture_output=True, text=True, check=True, timeout=60)
    return ended.stdout
