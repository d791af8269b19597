"""MWAA's requests, read and checked by botocore's own model of the service.

boto3 checks names, types and what is required; lengths and patterns are checked by AWS alone, so they are checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape
from botocore.validate import ParamValidator


class RefusedError(Exception):
    """What MWAA refuses.

    Attributes:
        code: the error's name in the model.
        status: HTTP's.
        more: further members of the error.
    """

    def __init__(self, code: str, message: str, status: int = 400, more: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code, self.status, self.more = code, status, more or {}


def read(method: str, path: str, query: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """Return a request's operation and parameters.

    Raises:
        RefusedError: there is no such operation, or it doesn't take these parameters.
    """
    for operation in _operations():
        found = _template(operation.http["requestUri"]).fullmatch(path)
        if found and operation.http["method"] == method:
            return operation.name, _params(operation, found.groupdict(), query, body)
    raise RefusedError("UnknownOperationException", f"MWAA has no operation {method} {path}", 404)


def _params(operation: OperationModel, in_path: Mapping[str, str], query: str, body: bytes) -> dict[str, Any]:
    shape = operation.input_shape
    names = {each.serialization.get("name", name): name for name, each in shape.members.items()}
    params: dict[str, Any] = {names[name]: unquote(value) for name, value in in_path.items()}
    for name, values in parse_qs(query).items():
        params[names.get(name, name)] = values if name == "tagKeys" else values[0]
    params |= json.loads(body or b"{}")
    wrong = list(_wrong(shape, params, ""))
    if wrong:
        raise RefusedError("ValidationException", "; ".join(wrong))
    return params


def _wrong(shape: Shape, params: Mapping[str, Any], where: str) -> Iterator[str]:
    report = ParamValidator().validate(dict(params), shape)
    if report.has_errors():
        yield report.generate_report()
        return
    yield from _outside(shape, params, where)


def _outside(shape: Any, value: Any, where: str) -> Iterator[str]:
    """Yield what boto3 doesn't look at: lengths, patterns, and values that aren't in a list."""
    if getattr(shape, "is_document_type", False):
        return
    if shape.type_name == "structure":
        for name, each in value.items():
            yield from _outside(shape.members[name], each, f"{where}.{name}")
    elif shape.type_name == "map":
        for name, each in value.items():
            yield from _outside(shape.value, each, f"{where}.{name}")
    elif shape.type_name == "list":
        yield from (wrong for each in value for wrong in _outside(shape.member, each, where))
    elif shape.type_name == "string":
        yield from _outside_text(shape.metadata, value, where)


def _outside_text(rules: Mapping[str, Any], value: str, where: str) -> Iterator[str]:
    if len(value) > rules.get("max", len(value)):
        yield f"{where}: expected at most {rules['max']} characters, found {len(value)}"
    if rules.get("enum") and value not in rules["enum"]:
        yield f"{where}: expected one of {', '.join(rules['enum'])}, found {value!r}"
    if "pattern" in rules and not _pattern(rules["pattern"]).fullmatch(value):
        yield f"{where}: expected {rules['pattern']}, found {value!r}"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Compile a model's pattern; letters, numbers and blanks of any language are other classes in Python."""
    for theirs, ours in ((r"\p{L}", r"\w"), (r"\p{N}", r"\d"), (r"\p{Z}", r"\s")):
        text = text.replace(theirs, ours)
    return re.compile(text)


@cache
def _template(uri: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", uri)
    return re.compile("".join(f"(?P<{part}>.+)" if at % 2 else re.escape(part) for at, part in enumerate(parts)))


@cache
def _operations() -> tuple[OperationModel, ...]:
    model: ServiceModel = botocore.session.get_session().get_service_model("mwaa")
    return tuple(model.operation_model(name) for name in model.operation_names)
