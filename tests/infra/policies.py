"""IAM policies judged by what was really asked: pure functions on rendered statements and recorded calls.

The part of IAM that these policies use: Allow, wildcards in actions and resources, NotResource, and some conditions on
what a call's record says. Anything else is an error here rather than a guess.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
"""

from __future__ import annotations

import operator
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Statement = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One thing a role did: an IAM action, the resource's ARN, and what conditions may ask about.

    A key of the context that has several values is there several times.
    """

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
        for action in listed(statement["Action"])
        if not any(allows({**statement, "Action": action}, call) for call in made)
    ]


def allows(statement: Statement, call: Call) -> bool:
    """Tell whether a statement allows a call."""
    odd = statement.keys() - {"Sid", "Effect", "Action", "Resource", "NotResource", "Condition"}
    if odd or statement["Effect"] != "Allow":
        raise NotImplementedError(f"{statement.get('Sid')}: {sorted(odd) or statement['Effect']}")
    return (
        any(_matches(action.lower(), call.action.lower()) for action in listed(statement["Action"]))
        and _covers(statement, call.resource)
        and _holds(statement.get("Condition", {}), _values(call.context))
    )


def _covers(statement: Statement, resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_matches(pattern, resource) for pattern in listed(statement["NotResource"]))
    return any(_matches(pattern, resource) for pattern in listed(statement["Resource"]))


def _values(context: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for key, value in context:
        found[key].append(value)
    return found


def _holds(conditions: Mapping[str, Mapping[str, Any]], context: Mapping[str, Sequence[str]]) -> bool:
    return all(
        _agrees(name, key, listed(wanted), context.get(key, ()))
        for name, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _agrees(operator_name: str, key: str, wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Tell whether a condition holds of the values that a key has in a call, or hasn't."""
    if operator_name == "Null":
        return wanted == [str(not found).lower()]
    of_all, name = operator_name.startswith(FOR_ALL), operator_name.removeprefix(FOR_ALL)
    if name not in {*OPERATORS, "StringNotEquals"} or (len(found) > 1 and not of_all):
        raise NotImplementedError(f"condition operator {operator_name} on {key} with the values {found}")
    if name == "StringNotEquals":  # holds where the key isn't there, too
        return not set(wanted) & set(found)
    return (of_all or bool(found)) and all(any(OPERATORS[name](each, value) for each in wanted) for value in found)


def _matches(pattern: str, text: str) -> bool:
    written = "".join({"*": ".*", "?": "."}.get(letter, re.escape(letter)) for letter in pattern)
    return re.fullmatch(written, text, re.DOTALL) is not None


FOR_ALL = "ForAllValues:"
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": operator.eq,
    "StringLike": _matches,
    "ArnEquals": _matches,
    "ArnLike": _matches,
    "Bool": operator.eq,
}


def listed(value: Any) -> list[Any]:
    """Return what stands alone or in a list as a list."""
    return value if isinstance(value, list) else [value]
