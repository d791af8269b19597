"""From Airflow's context to filebatch's values: where a run comes from, its settings and its AWS clients."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from filebatch.feeds.feed import Feed
from filebatch.feeds.selection import Origin

# Parsing a DAG imports this module, and what each function imports itself is for tasks.
if TYPE_CHECKING:
    from filebatch.runs.context import FeedContext
    from filebatch.runs.run import Run

AWS_CONN_ID = "aws_default"
Connects = Callable[[str | None, str], Callable[[str], Any]]

log = logging.getLogger(__name__)


def run_of(context: Mapping[str, Any]) -> Run:
    """Read the run out of a task's context."""
    from filebatch.runs import jobs
    from filebatch.runs.run import Run

    found = context["dag_run"]
    origin = Origin(
        str(getattr(found.run_type, "value", found.run_type)),
        found.logical_date,
        found.run_after,
        airflow_zone(),
    )
    run_hash = jobs.run_hash(found.dag_id, found.run_id)
    # Whatever conf says counts, though Airflow may keep it from params (`[core] dag_run_conf_overrides_params`).
    params = {**context["params"], **(getattr(found, "conf", None) or {})}
    who = getattr(found, "triggering_user_name", None)
    return Run(found.run_id, run_hash, found.clear_number or 0, origin, params, who)


@cache
def airflow_zone() -> tzinfo:
    """Return the zone in which Airflow takes dates that are written without one."""
    from airflow.sdk.configuration import conf

    name = conf.get("core", "default_timezone", fallback="utc")
    if name == "system":
        return datetime.now().astimezone().tzinfo or UTC
    return UTC if name.lower() == "utc" else ZoneInfo(name)


def feed_context(feed: Feed, aws_conn_id: str | None, connects: Connects | None = None) -> FeedContext:
    """Return a feed's context: the Variable is read now, the clients are made when they are needed.

    Args:
        feed: the feed.
        aws_conn_id: Airflow's connection.
        connects: returns, for a connection and a region, what makes clients; None for new ones.
    """
    from airflow.sdk import Variable

    from filebatch.feeds import settings
    from filebatch.runs.context import FeedContext

    found = settings.parse(Variable.get(settings.VARIABLE, deserialize_json=True))
    return FeedContext(feed, found, (connects or connector)(aws_conn_id, found.region))


def connector(aws_conn_id: str | None, region: str) -> Callable[[str], Any]:
    """Return what makes clients from an Airflow connection; they share a session, whose set-up costs most."""
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from botocore.config import Config

    from filebatch.core.parallel import THREADS
    from filebatch.core.publishing import SHORT_TIMEOUTS

    hook: AwsGenericHook[Any] = AwsGenericHook(aws_conn_id=aws_conn_id, client_type="s3", region_name=region)
    session = hook.get_session(region_name=region)
    config = hook.config.merge(Config(max_pool_connections=THREADS))

    @cache
    def connect(service: str) -> Any:
        endpoint = hook.conn_config.get_service_endpoint_url(service)
        own = config.merge(SHORT_TIMEOUTS) if service == "cloudwatch" else config
        return session.client(service, endpoint_url=endpoint, config=own, verify=hook.verify)

    return connect


def is_over(ti: Any, dag_id: str, run_id: str) -> bool:
    """Ask Airflow whether a run has ended; one that it doesn't know has.

    Any other answer than 404 says nothing about the run, which may live: then only its heartbeat tells.
    """
    from airflow.sdk.api.client import ServerResponseError
    from airflow.sdk.exceptions import AirflowRuntimeError

    try:
        state = ti.get_dagrun_state(dag_id, run_id)
    except AirflowRuntimeError as error:
        found = (error.error.detail or {}).get("status_code")
    except ServerResponseError as error:  # `airflow dags test` hands it on as it came
        found = error.response.status_code
    else:
        return str(getattr(state, "value", state)) in {"success", "failed"}
    if found != HTTPStatus.NOT_FOUND:
        log.warning("Airflow did not tell the state of run %s: status %s", run_id, found)
    return bool(found == HTTPStatus.NOT_FOUND)
