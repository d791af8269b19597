"""A notifier that stands still the first time, so that its process can be killed when people have been told."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from airflow.sdk.bases.notifier import BaseNotifier

LONGEST = 600  # seconds


class StandsStill(BaseNotifier):
    """Tells nobody anything.

    Args:
        file: where its process is written down, and that it has stood still.
    """

    def __init__(self, *, file: str) -> None:
        super().__init__()
        self.file = Path(file)

    def notify(self, context: Any) -> None:
        """Stand still, unless it has before."""
        if self.file.exists():
            return
        written = self.file.with_suffix(".new")
        written.write_text(str(os.getpid()), encoding="utf-8")
        written.rename(self.file)
        time.sleep(LONGEST)
