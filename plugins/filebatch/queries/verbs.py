"""What people have done with files, by the command line or the Files page: each is a run of the feed's own DAG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from filebatch.core.records import SETTLED_STATES, FileState


@dataclass(frozen=True)
class Verb:
    """What is done with files: its name and meaning, the states that it is for, and whether it needs `force`."""

    name: str
    meaning: str
    states: Sequence[FileState]
    force: bool = False

    def conf(self, keys: Sequence[str], reason: str) -> dict[str, Any]:
        """Return the conf of the run that does it with certain keys; where one state alone is meant it says that."""
        state = {"state": str(self.states[0])} if self is RELEASE else {}
        return {"keys": list(keys), "reason": reason, **state, **({"force": True} if self.force else {})}


RETRY = Verb("retry", "Have files tried again that FAILED.", (FileState.FAILED,))
REDO = Verb("redo", "Have files done again that are settled, as a new generation.", SETTLED_STATES, force=True)
RELEASE = Verb("release", "Give back files that are CLAIMED and whose job has ended.", (FileState.CLAIMED,))
ALL = (RETRY, REDO, RELEASE)
