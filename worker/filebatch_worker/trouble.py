"""Writing down why an attempt failed, where the settling finds it: an exit code says nothing, and a log is read by few.

Nothing here changes what becomes of a file. Where the ledger can't be reached either, the log alone tells.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from filebatch.core import clock, file_moves, paths, run_moves
from filebatch.core.contract import Reason, Unit, Work
from filebatch.core.ledger import Ledger
from filebatch.core.moves import Move
from filebatch.core.records import FileRecord
from filebatch_worker import aws

log = logging.getLogger(__name__)


def of_file(ledger: Ledger, unit: Unit, work: Work, reason: Reason) -> None:
    """Write down why a file, which stays claimed, could not be done in this attempt."""
    move = file_moves.trouble(FileRecord.at(work.file), unit.claim, reason, clock.now())
    _write(ledger, move.noted(run=unit.run_id, round=unit.round, attempt=work.attempt))


def of_unit(environment: Mapping[str, str], reason: Reason) -> None:
    """Write down why nothing of the unit could be done; the environment is all that is known for sure."""
    found = paths.parse_round_units(environment.get("FILEBATCH_ROUND", ""))
    table = environment.get("FILEBATCH_LEDGER")
    if not (found and table):
        log.error("environment: expected FILEBATCH_ROUND and FILEBATCH_LEDGER, so nobody else hears of this")
        return
    try:
        ledger = Ledger(aws.connect().dynamodb, table)
    except Exception:
        log.exception("the ledger can't be reached, so nobody else hears of this")
    else:
        _write(ledger, run_moves.unit_trouble(*found, reason))


def _write(ledger: Ledger, move: Move[Any]) -> None:
    try:
        if not ledger.try_move(move).done:
            log.info("%r is no longer this claim's", move.row.pk)
    except Exception:
        log.exception("the ledger could not be told of %r", move.row.pk)
