"""The ledger's requests: what DynamoDB gets."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filebatch.core import requests
from golden import agrees
from moves import ALL, arrival


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_move_is_one_that_dynamodb_takes(name):
    move = ALL[name]
    # It refuses values that no expression names, and an attribute that is changed twice.
    condition, given = requests.condition_expression(move.conditions)
    assert set(re.findall(r":\w+", condition)) == set(given)
    changed = [*move.become, *move.drop, *move.add]
    assert len(changed) == len(set(changed))
    assert not {"pk", "sk"} & set(changed)


def test_requests_are_as_dynamodb_gets_them():
    found = {name: requests.update(move) for name, move in ALL.items() if not name.endswith("1 g2")}
    assert agrees("ledger-requests", {"arrive": requests.put(arrival().to_item()), **found})


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(), PLAIN))
def test_values_read_back_from_dynamodbs_types(item):
    assert requests.decode(requests.encode(item)) == item
