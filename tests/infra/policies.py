"""IAM policies judged by what was really asked: pure functions on rendered statements and recorded calls.

The part of IAM that these policies use: Allow, wildcards in actions and resources, NotResource, StringEquals and
StringLike on what a call's record says. Anything else is an error here rather than a guess.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One thing a role did: an IAM action, the resource's ARN, and what conditions may ask about."""

    role: str
    action: str
    resource: str
    context: tuple[tuple[str, str], ...] = field(default=())


def denied(statements: Sequence[Statement], calls: Iterable[Call]) -> list[Call]:
    """Return the calls that no statement allows."""
    return sorted({call for call in calls if not any(allows(each, call) for each in statements)}, key=repr)


def idle(statements: Sequence[Statement], calls: Iterable[Call]) -> list[str]:
    """Return the statements without which every call would still be allowed, by Sid."""
    made = list(calls)
    return [
        statement["Sid"]
        for number, statement in enumerate(statements)
        if not denied([*statements[:number], *statements[number + 1 :]], made)
    ]


def unused(statements: Sequence[Statement], calls: Iterable[Call]) -> list[str]:
    """Return what is allowed and that no call needs, as `Sid: action`."""
    made = list(calls)
    return [
        f"{statement['Sid']}: {action}"
        for statement in statements
        for action in _list(statement["Action"])
        if not any(allows({**statement, "Action": action}, call) for call in made)
    ]


def allows(statement: Statement, call: Call) -> bool:
    """Tell whether a statement allows a call."""
    odd = statement.keys() - {"Sid", "Effect", "Action", "Resource", "NotResource", "Condition"}
    if odd or statement["Effect"] != "Allow":
        raise NotImplementedError(f"{statement.get('Sid')}: {sorted(odd) or statement['Effect']}")
    return (
        any(_matches(action.lower(), call.action.lower()) for action in _list(statement["Action"]))
        and _covers(statement, call.resource)
        and _holds(statement.get("Condition", {}), dict(call.context))
    )


def _covers(statement: Statement, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_matches(pattern, resource) for pattern in _list(statement["NotResource"]))
    return any(_matches(pattern, resource) for pattern in _list(statement["Resource"]))


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    for name, keys in conditions.items():
        agrees = OPERATORS.get(name)
        if agrees is None:
            raise NotImplementedError(f"condition operator {name}")
        for key, values in keys.items():
            if key not in context or not any(agrees(value, context[key]) for value in _list(values)):
                return False
    return True


def _matches(pattern: str, text: str) -> bool:
    written = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(written, text, re.DOTALL) is not None


OPERATORS: Mapping[str, Callable[[str, str], bool]] = {"StringEquals": operator.eq, "StringLike": _matches}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
