"""The check of `make lint` that all feed files can be used."""

import check_feeds
from aws import ROOT


def test_the_repositorys_feeds_can_be_used():
    assert check_feeds.main([]) == 0


def test_broken_and_overlapping_feeds_are_named_and_fail_the_check(tmp_path, capsys):
    for name, text in {
        "broken": "prefix: [",
        "one": "prefix: a/\nstart: 2026-01-01",
        "two": "prefix: a/b/\nstart: 2026-01-01",
    }.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    assert check_feeds.main([str(tmp_path)]) == 1
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "broken.yaml",
        "one.yaml",
        "two.yaml",
    ]


def test_lint_runs_it():
    assert (
        "-m check_feeds" in (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    )
