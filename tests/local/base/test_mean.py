"""What goes wrong is decided by a seed and the number of the request or chance, and by nothing else."""

from collections import Counter

import pytest

from filebatch_local.base import mean
from filebatch_local.base.faults import BY_NAME, BY_THE_WAY, MISHAPS
from filebatch_local.base.mean import Mean

MANY = 20_000


def names(found):
    return [each and each[0].name for each in found]


def test_a_seed_says_the_same_each_time():
    first, again = Mean(3), Mean(3)
    assert [first.fault("s3", "put_object") for _ in range(500)] == [
        again.fault("s3", "put_object") for _ in range(500)
    ]
    assert [first.mishap("spot") for _ in range(500)] == [again.mishap("spot") for _ in range(500)]


def test_it_says_the_same_whatever_happens_beside_it():
    alone, beside = Mean(3), Mean(3)
    found = []
    for _ in range(300):
        beside.fault("sqs", "receive_message")
        beside.mishap("index lag")
        found.append(beside.fault("dynamodb", "update_item"))
    assert found == [alone.fault("dynamodb", "update_item") for _ in range(300)]


def test_another_seed_says_something_else():
    assert [mean.fault(1, "s3", "put_object", n) for n in range(500)] != [
        mean.fault(2, "s3", "put_object", n) for n in range(500)
    ]


def test_each_kind_happens_as_often_as_it_should():
    found = Counter(names(mean.fault(1, "s3", "put_object", number) for number in range(MANY)))
    assert {name: found[name] / MANY for name in mean.REQUESTS} == pytest.approx(dict(mean.REQUESTS), rel=0.3)


@pytest.mark.parametrize("name", mean.MISHAPS)
def test_each_mishap_happens_as_often_as_it_should(name):
    taken = [bad for number in range(MANY) if (bad := mean.mishap(1, name, number)) is not None]
    assert len(taken) / MANY == pytest.approx(mean.MISHAPS[name], rel=0.2)
    assert min(taken) < 0.1
    assert 0.9 < max(taken) < 1.0


def test_every_kind_is_one_of_the_tables():
    assert set(mean.REQUESTS) <= set(BY_NAME)
    assert set(mean.MISHAPS) <= {*MISHAPS, *BY_THE_WAY}


def test_only_what_may_be_in_conflict_is():
    assert "in conflict" not in names(mean.fault(1, "dynamodb", "update_item", number) for number in range(MANY))


@pytest.mark.parametrize(("service", "operation"), sorted(mean.NEVER_TWICE))
def test_what_would_count_twice_is_never_done_without_an_answer(service, operation):
    found = [each for number in range(MANY) if (each := mean.fault(1, service, operation, number))]
    assert found
    assert [fault for fault, _ in found if fault.applied] == []


def test_of_requests_alone_nothing_happens_that_a_client_does_not_try_again():
    some, whole = Mean(1, "requests"), Mean(1)
    assert "in conflict" in names(whole.fault("s3", "put_object") for _ in range(1000))
    found = names(some.fault("s3", "put_object") for _ in range(1000))
    assert "in conflict" not in found
    assert {"throttled", "answer lost"} <= set(found)


def test_of_most_all_happens_that_leaves_decided_which_run_does_a_file():
    most = Mean(1, "most")
    taken = {name for name in mean.MISHAPS if any(most.mishap(name) is not None for _ in range(100))}
    assert taken == {"event twice", "message twice", "out of order", "left out", "unlisted", "slow start"}
    assert "in conflict" in names(most.fault("s3", "put_object") for _ in range(1000))


def test_without_a_seed_nothing_goes_wrong():
    kind = Mean()
    assert [kind.fault("s3", "put_object") for _ in range(MANY)] == [None] * MANY
    assert [kind.late("index lag") for _ in range(100)] == [0.0] * 100


def test_of_requests_alone_nothing_else_goes_wrong_but_what_is_left_out():
    some = Mean(1, "requests")
    assert [some.mishap("index lag") for _ in range(100)] == [None] * 100
    assert any(some.mishap("left out") is not None for _ in range(100))
