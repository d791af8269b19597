import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch_local.batch.exit_rules import (
    EXITED,
    OUT_OF_MEMORY,
    Outcome,
    RetryStrategy,
    action,
    exit_code_of,
    matches,
)

REASONS = st.text(st.characters(codec="ascii", exclude_characters="*"), max_size=20)
OUTCOMES = st.builds(Outcome, st.none() | st.integers(0, 255), st.none() | REASONS, st.none() | REASONS)
RULES = st.lists(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["RETRY", "EXIT", "retry", "exit"])},
        optional={"onReason": REASONS, "onStatusReason": REASONS, "onExitCode": st.integers(0, 255).map(str)},
    ),
    max_size=5,
)


@given(REASONS, REASONS)
def test_a_star_matches_what_begins_alike(start, rest):
    assert matches(start + "*", start + rest)
    assert matches(start, start)
    assert not rest or not matches(start, start + rest)


@pytest.mark.parametrize(
    ("rules", "outcome", "expected"),
    [
        ([], Outcome(1), "RETRY"),
        ([{"onExitCode": "75", "action": "EXIT"}], Outcome(1), "RETRY"),
        ([{"onExitCode": "1*", "action": "EXIT"}], Outcome(137), "EXIT"),
        ([{"onExitCode": "1", "action": "EXIT"}], Outcome(137), "RETRY"),
        ([{"onReason": "OutOfMemory*", "action": "exit"}], Outcome(137, OUT_OF_MEMORY), "EXIT"),
        ([{"onReason": "*", "action": "EXIT"}], Outcome(None, None, "Host EC2 (instance i-1) terminated."), "EXIT"),
        (
            [{"onStatusReason": "Host EC2*", "action": "RETRY"}, {"onReason": "*", "action": "EXIT"}],
            Outcome(None, None, "Host EC2 (instance i-1) terminated."),
            "RETRY",
        ),
        ([{"onExitCode": "1", "onReason": "Out*", "action": "EXIT"}], Outcome(1, None, EXITED), "RETRY"),
    ],
)
def test_the_first_rule_whose_conditions_all_hold_decides(rules, outcome, expected):
    assert action(rules, outcome) == expected


@given(RULES, OUTCOMES, st.integers(1, 10), st.integers(1, 10))
def test_no_rule_makes_more_attempts_than_there_are(rules, outcome, attempts, made):
    retried = RetryStrategy(attempts, rules).retries(outcome, made)
    assert not retried or (made < attempts and outcome.exit_code != 0)


@given(RULES, OUTCOMES)
def test_a_final_outcome_is_never_retried(rules, outcome):
    final = Outcome(outcome.exit_code, outcome.reason, outcome.status_reason, final=True)
    assert not RetryStrategy(10, rules).retries(final, 1)


def test_the_jobs_strategy_goes_before_its_definitions():
    assert RetryStrategy.of({"attempts": 5}, {"attempts": 2}).attempts == 5
    assert RetryStrategy.of(None, {"attempts": 2}).attempts == 2
    assert RetryStrategy.of(None, None).attempts == 1


@pytest.mark.parametrize(("code", "expected"), [(0, 0), (75, 75), (-9, 137), (-15, 143)])
def test_a_signal_is_an_exit_code(code, expected):
    assert exit_code_of(code) == expected
