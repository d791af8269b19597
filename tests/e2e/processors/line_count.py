"""A user's own processor, as docs/processors.md describes one: counts lines, and shows each way of ending."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filebatch_worker.processor import InvalidFile, Output, Processed, Source, TransientError


def count_lines(source: Source, workdir: Path, options: Mapping[str, Any]) -> Processed:
    text = source.path.read_text(encoding="utf-8")
    first = text.split("\n", 1)[0]
    if first == "raise":
        raise RuntimeError("this file makes the processor raise")
    if first == "invalid":
        raise InvalidFile("no-lines", "expected lines, found the word invalid", line=1)
    if first == "transient":
        raise TransientError("the weather is bad")
    if first == "sleep":
        time.sleep(float(text.split("\n")[1]))
    if first == "kill-once" and os.environ["AWS_BATCH_JOB_ATTEMPT"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    lines = text.count("\n")
    path = workdir / "lines.txt"
    path.write_text(f"{lines}\n", encoding="utf-8")
    return Processed((Output("lines.txt", path, rows=lines),), rows=lines, notes={"options": dict(options)})
