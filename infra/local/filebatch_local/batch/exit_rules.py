"""What happens after an attempt: Batch's `evaluateOnExit`, as pure functions on values.

https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

EXITED = "Essential container in task exited"
START_FAILED = "Task failed to start"
TIMED_OUT = "Job attempt duration exceeded timeout"
OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
DEPENDENCY_FAILED = "Dependent Job failed"
CHILD_FAILED = "Array Child Job failed"


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        exit_code: the container's exit code (128 + signal for a killed one), None where no container told one.
        reason: the container's reason, or None.
        status_reason: the job's statusReason.
        final: it isn't retried, as it was terminated or ran out of time.
    """

    exit_code: int | None = None
    reason: str | None = None
    status_reason: str | None = None
    final: bool = False

    @property
    def succeeded(self) -> bool:
        """Tell whether the container ended by itself with exit code 0."""
        return self.exit_code == 0 and not self.final


@dataclass(frozen=True)
class RetryStrategy:
    """How often a job is tried, and the rules that end that early."""

    attempts: int = 1
    rules: Sequence[Mapping[str, str]] = ()

    @classmethod
    def of(cls, *strategies: Mapping[str, object] | None) -> RetryStrategy:
        """Take the first strategy that is set: the job's before its definition's."""
        chosen = next((one for one in strategies if one), {})
        rules = chosen.get("evaluateOnExit") or ()
        return cls(int(str(chosen.get("attempts") or 1)), rules)  # type: ignore[arg-type]  # a JSON document

    def retries(self, outcome: Outcome, attempts_made: int) -> bool:
        """Tell whether a job whose last attempt ended like this is tried again."""
        if outcome.succeeded or outcome.final or attempts_made >= self.attempts:
            return False
        return action(self.rules, outcome) == "RETRY"


def action(rules: Sequence[Mapping[str, str]], outcome: Outcome) -> str:
    """Return RETRY or EXIT: the action of the first rule of which every condition holds; RETRY where none does."""
    for rule in rules:
        if applies(rule, outcome):
            return rule["action"].upper()
    return "RETRY"


def applies(rule: Mapping[str, str], outcome: Outcome) -> bool:
    """Tell whether all conditions that a rule names hold; one it doesn't name always does."""
    exit_code = "" if outcome.exit_code is None else str(outcome.exit_code)
    found = {"onReason": outcome.reason, "onStatusReason": outcome.status_reason, "onExitCode": exit_code}
    return all(matches(rule[name], value or "") for name, value in found.items() if rule.get(name) is not None)


def matches(pattern: str, value: str) -> bool:
    """Compare with a pattern that may end with `*`, the only wildcard there is."""
    if pattern.endswith("*"):
        return value.startswith(pattern[:-1])
    return value == pattern


def exit_code_of(return_code: int) -> int:
    """Turn a process's return code (minus N for signal N) into what a container reports (128 + N)."""
    return 128 - return_code if return_code < 0 else return_code
