"""Who may see a feed's files and start its runs: what Airflow lets them do with the feed's DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.models.dag import DagModel
from fastapi import HTTPException, status

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser


def may_see(user: BaseUser, feed: str) -> bool:
    """Tell whether a user may read the feed's DAG."""
    return get_auth_manager().is_authorized_dag(method="GET", details=_details(feed), user=user)


def may_act(user: BaseUser, feed: str) -> bool:
    """Tell whether a user may start runs of the feed's DAG."""
    return get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=_details(feed), user=user
    )


def require(allowed: bool, what: str) -> None:
    """Refuse what isn't allowed.

    Raises:
        HTTPException: 403.
    """
    if not allowed:
        raise HTTPException(status.HTTP_403_FORBIDDEN, f"Airflow doesn't let you {what}: ask who grants access to DAGs")


def _details(feed: str) -> DagDetails:
    return DagDetails(id=feed, team_name=DagModel.get_team_name(feed))
