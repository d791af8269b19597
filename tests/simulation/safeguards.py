"""What keeps the promises of docs/guarantees.md, and how each is taken out: then the simulation must find something."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from filebatch.core import file_moves, run_moves
from filebatch.core.contract import Reason
from filebatch.core.moves import Move
from filebatch.intake import listing
from filebatch.runs import (
    announcing,
    asking,
    former_names,
    open_items,
    plans,
    processing,
    selecting,
    settling,
    takeover,
)
from filebatch_worker import commit as committing
from filebatch_worker import reasons, returned
from simulation import run, taken_out, themes
from simulation.run import Outcome


@dataclass(frozen=True)
class Safeguard:
    """One safeguard: what it is, how it is taken out, and the theme whose seeds are tried first."""

    what: str
    out: Callable[[ExitStack], None]
    theme: str = ""


@dataclass(frozen=True)
class Held:
    """What holds a safeguard where no seed does: a test, as pytest names it, and why no seed finds it."""

    test: str
    why: str

    def __str__(self) -> str:
        return f"`{Path(self.test.partition('::')[0]).name}`: {self.why}"


def first_seed(name: str, seeds: Iterable[int]) -> Outcome | None:
    """Return what the first of some seeds finds without a safeguard, None where none does."""
    with without(name):
        return next((found for each in seeds if (found := _outcome(each)).rule), None)


def in_order(name: str, seeds: Sequence[int], known: int | None = None) -> list[int]:
    """Return seeds as they are tried: the one that is known to find it, those of the safeguard's theme, the others."""
    theme = SAFEGUARDS[name].theme
    return sorted(seeds, key=lambda seed: (seed != known, not theme or themes.theme_of(seed) != theme, seed))


def _outcome(seed: int) -> Outcome:
    """Run a seed; without a safeguard the code may also break down, which is found as well."""
    plan = themes.draw(seed)
    try:
        return run.one(plan)
    except Exception as error:
        return Outcome(plan, f"raised {type(error).__name__}", str(error), "", 0, 0.0, ())


@contextmanager
def without(name: str) -> Iterator[None]:
    """Take a safeguard out for a while."""
    with ExitStack() as stack:
        SAFEGUARDS[name].out(stack)
        yield


SAFEGUARDS: dict[str, Safeguard] = {
    "ask before commit": Safeguard(
        "a worker asks the ledger whether the file is still its own before it commits",
        taken_out.replaced(committing, "check_held", lambda *_: None),
    ),
    "commit once": Safeguard(
        "`_result.json` is written with If-None-Match",
        taken_out.replaced(committing, "write", taken_out.write_without_condition),
    ),
    "finish's condition": Safeguard(
        "only the claim that holds a file settles it",
        taken_out.unconditional(file_moves, "finish", "fail"),
        theme="settled_late",
    ),
    "release's condition": Safeguard(
        "a file is given back only as it was claimed", taken_out.unconditional(file_moves, "release")
    ),
    "claim's condition": Safeguard(
        "of two claims of a file one is made",
        taken_out.replaced(
            plans,
            "_MOVES",
            {
                plans.TAKE: taken_out.without_conditions(file_moves.claim),
                plans.RETRY: taken_out.without_conditions(partial(file_moves.claim, asked=True)),
                plans.REDO: taken_out.without_conditions(file_moves.redo),
            },
        ),
    ),
    "fence": Safeguard("one job of a round works", taken_out.unconditional(run_moves, "fence")),
    "round of settling": Safeguard(
        "a claim is settled by its round", taken_out.unconditional(run_moves, "settle"), theme="settled_late"
    ),
    "closing refuses": Safeguard(
        "a claim isn't closed while a file is CLAIMED",
        taken_out.replaced(settling, "_close", taken_out.blind_close),
        theme="stood_still",
    ),
    "claim's state once": Safeguard(
        "a claim becomes CLAIMED once", taken_out.unconditional(run_moves, "claimed"), theme="twice"
    ),
    "begin_round's condition": Safeguard(
        "of two next rounds one begins", taken_out.unconditional(run_moves, "begin_round"), theme="twice"
    ),
    "base table": Safeguard(
        "of claims only their keys are read from the index",
        taken_out.all_of(
            taken_out.replaced(open_items, "open_runs", taken_out.as_the_index_has_them),
            taken_out.replaced(announcing, "_due", taken_out.due_by_the_index),
        ),
    ),
    "bounded words": Safeguard(
        "what strangers wrote is cut to what a record has room for, where it is told and where it is recorded",
        taken_out.all_of(
            taken_out.replaced(Reason, "bounded", lambda self: self),
            taken_out.replaced(reasons, "plain", lambda text, _longest=0: text),
        ),
    ),
    "begun files": Safeguard(
        "an attempt is counted for files that were begun", taken_out.replaced(settling, "begun_of", taken_out.all_begun)
    ),
    "answer lost": Safeguard(
        "a move that is refused as it was made already counts as made",
        taken_out.replaced(Move, "is_made", lambda self, item: False),
    ),
    "announced counts": Safeguard(
        "a claim is announced by what was settled, whoever has its files now",
        taken_out.replaced(announcing, "summarize", taken_out.of_files_alone),
        theme="ended",
    ),
    "closed last": Safeguard(
        "a claim is closed when Airflow has its event",
        taken_out.replaced(announcing, "_announce_settled", taken_out.announce_and_close),
    ),
    "plan once": Safeguard(
        "a claim has one plan, the first that was written",
        taken_out.replaced(plans, "write", taken_out.write_again),
        theme="twice",
    ),
    "taken over": Safeguard(
        "claims of dead runs are taken over", taken_out.replaced(takeover, "take_over", lambda *_: []), theme="ended"
    ),
    "freed": Safeguard(
        "a file of a closed claim is given back",
        taken_out.NOT_FREED,
        theme="stood_still",
    ),
    "open before claimed": Safeguard(
        "a claim is open before a file is claimed under it; tried without `freed`, which makes good for it",
        taken_out.all_of(taken_out.NOT_FREED, taken_out.replaced(processing, "next_job", taken_out.claim_then_open)),
        theme="retried",
    ),
    "closing refuses, nothing freed": Safeguard(
        "likewise, a claim isn't closed while a file is CLAIMED",
        taken_out.all_of(taken_out.NOT_FREED, taken_out.replaced(settling, "_close", taken_out.blind_close)),
        theme="stood_still",
    ),
    "missing plan": Safeguard(
        "likewise, a plan that is gone is no plan without files",
        taken_out.all_of(
            taken_out.NOT_FREED, taken_out.replaced(plans, "read_for", taken_out.nothing_where_it_is_gone)
        ),
        theme="expired",
    ),
    "one by one": Safeguard(
        "a claim that can't be settled keeps no other from it",
        taken_out.replaced(takeover, "take_over", taken_out.take_over_all_or_none),
        theme="expired",
    ),
    "checked before commit": Safeguard(
        "what a processor returned is checked before it is committed",
        taken_out.replaced(returned, "_check_rows", lambda *_: None),
    ),
    "re-homed": Safeguard(
        "what waits for a feed's former name is its new name's",
        taken_out.replaced(listing, "rehome", lambda *_: frozenset()),
        theme="renamed",
    ),
    "former names": Safeguard(
        "what is open under a feed's former name is found by the prefix, whether the bucket has it or not",
        taken_out.replaced(former_names, "_arrivals", lambda _ctx: []),
        theme="renamed",
    ),
    "all that was asked": Safeguard(
        "what a run was asked for beyond its claim waits for others",
        taken_out.replaced(selecting, "_leave", lambda *_: None),
        theme="forced",
    ),
    "asked for later": Safeguard(
        "a claim that can't be announced asks for that ever less often",
        taken_out.replaced(takeover, "_ask_later", lambda *_: None),
        theme="forbidden",
    ),
    "put off": Safeguard(
        "a claim that can't be settled asks for that ever less often",
        taken_out.replaced(takeover, "_put_off", lambda *_: None),
        theme="expired",
    ),
    "one time of a file": Safeguard(
        "a file is of the day that was recorded first",
        taken_out.replaced(listing, "as_recorded", lambda _ledger, _feed, _window, files: files),
        theme="begun_before",
    ),
    "its own round's failure": Safeguard(
        "what a round ends with fails no file of the next",
        taken_out.all_of(
            taken_out.replaced(settling, "_check_round", lambda *_: None),
            taken_out.replaced(file_moves, "fail", taken_out.of_any_round),
        ),
        theme="settled_late",
    ),
    "same name": Safeguard(
        "a run of a name that is known already takes what waits",
        taken_out.replaced(asking, "_claim", taken_out.resume_for_ever),
    ),
    "round to take over": Safeguard(
        "a claim that isn't a job yet is left alone for three minutes",
        taken_out.replaced(takeover, "NEVER_SUBMITTED_AFTER", timedelta(0)),
        theme="ended",
    ),
    "job to take over": Safeguard(
        "a claim isn't taken over while its job works",
        taken_out.replaced(takeover.jobs, "TERMINAL", ("SUCCEEDED", "FAILED", "RUNNING", "RUNNABLE", "PENDING")),
        theme="ended",
    ),
    "announce again": Safeguard(
        "whoever begins to announce a claim has it for a while only",
        taken_out.replaced(announcing, "ANNOUNCING_TAKES", timedelta(days=30)),
    ),
    "claim for round": Safeguard(
        "files that another try of the task took belong to the round, too",
        taken_out.replaced(processing, "_is_held", lambda file, record: False),
        theme="twice",
    ),
}


RUNS = "tests/filebatch/runs"
ONLY_WITHOUT_FREED = "`freed` makes good for it; below it is tried without"

# What finds it where no seed does: a test of its own, and why a seed doesn't. What a seed finds is in the table alone.
# The tests are run without their safeguards (tests/docs/test_guarantees.py), which they have to notice.
HELD_BY_TESTS: dict[str, Held] = {
    "closing refuses": Held(
        f"{RUNS}/test_settling.py::test_a_claim_is_not_closed_while_a_file_of_it_is_claimed", ONLY_WITHOUT_FREED
    ),
    "claim's state once": Held(
        f"{RUNS}/test_claiming.py::test_a_slower_try_of_the_same_claim_takes_nothing_from_the_one_that_was_first",
        "what a slower try does then is undone by the next move, which is refused",
    ),
    "begin_round's condition": Held(
        f"{RUNS}/test_rounds.py::test_whoever_read_the_record_before_another_began_its_next_round_begins_none",
        "two tries of one task begin a round within the same milliseconds, and the fence stops the second job",
    ),
    "answer lost": Held(
        "tests/filebatch/core/test_ledger.py::test_a_move_that_is_sent_again_after_its_answer_was_lost_is_told_as_made",
        "the task that takes a refusal for true is tried again, and then finds what was made",
    ),
    "plan once": Held(
        f"{RUNS}/test_plans.py::test_the_first_plan_of_a_claim_counts",
        "two tries of one task must plan different files within the same milliseconds",
    ),
    "asked for later": Held(
        f"{RUNS}/test_takeover.py::test_a_settled_run_that_nobody_announces_asks_for_it_ever_less_often_and_stays_open",
        "a `notify` must never begin: one that begins puts its claim off by itself",
    ),
    "its own round's failure": Held(
        f"{RUNS}/test_settling.py::test_a_late_settling_of_a_round_fails_no_file_of_the_next",
        "a settling must stand still between two calls while the next round begins",
    ),
    "round to take over": Held(
        f"{RUNS}/test_takeover.py::test_a_job_submitted_a_moment_ago_may_not_be_listed_yet",
        "what is taken too early is given back, and each move of the slower task is refused",
    ),
    "claim for round": Held(
        f"{RUNS}/test_processing.py::test_files_that_another_try_of_the_task_took_are_of_the_round",
        "two tries of one task must take different files of one round",
    ),
}
