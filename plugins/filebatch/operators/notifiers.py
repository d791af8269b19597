"""Airflow's notifiers beside SNS: whatever a feed names, with the run's summary at hand for its templates.

https://airflow.apache.org/docs/apache-airflow/stable/howto/notifications.html
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from filebatch.core.errors import ConfigurationError
from filebatch.feeds.notifying import Notifier

if TYPE_CHECKING:
    from filebatch.runs.summary import Summary

log = logging.getLogger(__name__)


def send(notifiers: Iterable[Notifier], context: Mapping[str, Any], summary: Summary) -> None:
    """Have each notifier that wants to know of the run tell of it.

    They come after SNS and asset events, and one that fails is logged and keeps none of the others: to announce the
    run again for its sake would tell all others twice.
    """
    for notifier in notifiers:
        if notifier.wants(summary.status):
            try:
                _made(notifier)({**context, "summary": summary})
            except Exception:
                log.exception("%s could not tell of run %s", notifier.notifier, summary.run_id)


def _made(notifier: Notifier) -> Any:
    from airflow.sdk.bases.notifier import BaseNotifier

    module, _, name = notifier.notifier.rpartition(".")
    found = getattr(importlib.import_module(module), name)
    if not (isinstance(found, type) and issubclass(found, BaseNotifier)):
        raise ConfigurationError(f"notify.notifiers: expected one of Airflow's notifiers, found {notifier.notifier}")
    return found(**notifier.arguments)
