"""Refuses what AWS refuses by a request's parameters alone, before moto acts on it.

S3's requests, DynamoDB's items and the sizes of Batch's jobs are looked at where more is known: s3.py, dynamodb.py,
batch/limits.py.
"""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, BaseResponse

from filebatch_local.moto_gaps.refusals import Params, Refusal, refusal

_call_action = BaseResponse.call_action
BATCH = {"registerjobdefinition": "RegisterJobDefinition", "submitjob": "SubmitJob"}  # moto goes by their paths


class _RefusedError(ServiceException):  # type: ignore[misc]  # moto's classes are untyped here
    """A refusal, as the service that was asked words it."""


def install() -> None:
    """Look at requests before moto acts on them."""
    BaseResponse.call_action = _look_first


def _look_first(response: Any) -> Any:
    found = refusal(response.boto3_service_name, *_asked(response))
    return _answer(response, found) if found else _call_action(response)


def _asked(response: Any) -> tuple[str, Params]:
    """Return a request's operation and parameters; "" where no row is about its service's operations."""
    operation = response._get_action()
    if response.service_name == "batch":
        name = BATCH.get(operation.rsplit("/")[-1].lower(), "")
        return name, json.loads(response.body) if name else {}
    if response.service_name == "dynamodb":
        return operation, response.body
    if response.service_name == "events":
        return operation, json.loads(response.body or "{}")
    return (operation, response.params) if response.automated_parameter_parsing else ("", {})


def _answer(response: Any, found: Refusal) -> Any:
    _, headers, body = response.serialized(ActionResult(_RefusedError(found.code, found.rule)))
    headers, body = response._enrich_response(headers, body)
    return found.status, headers, body
