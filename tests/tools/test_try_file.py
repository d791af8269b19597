"""`make try`: one file, done without AWS, by real processes."""

import subprocess
import sys
from pathlib import Path

import pytest

from aws import ROOT

BROKEN = """
def process(source, workdir, options):
    total = source.path.read_text()
    return int(total)
"""


def make_try(feed: object, file: object, *, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "try", f"FEED={feed}", f"FILE={file}"]
    environment = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "PYTHONPATH": "/nowhere"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def feed_file(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(f"prefix: mine/\nstart: 2026-01-01\n{text}\n")
    return path


def test_a_good_file_is_told_with_outputs_rows_seconds_and_memory(tmp_path):
    ended = make_try("tables", ROOT / "samples" / "airports.csv", tmp_path=tmp_path)
    assert ended.returncode == 0, ended.stderr
    told = dict(line.split(maxsplit=1) for line in ended.stdout.splitlines() if not line.startswith(" "))
    assert (told["state"], told["rows"]) == ("SUCCEEDED", "3376")
    assert "'Thigpen', 'Bay Springs'" in ended.stdout
    assert told["seconds"][0].isdigit()
    assert "of 1024 MiB" in told["memory"]
    paths = [line.rpartition(": ")[2] for line in ended.stdout.splitlines() if line.startswith("output")]
    assert [Path(path).name for path in paths if Path(path).stat().st_size] == ["data.parquet", "profile.json"]


def test_an_invalid_file_ends_with_an_error_and_its_message(tmp_path):
    (tmp_path / "bad.csv").write_text("name,b\nJo\x1b[31m Doe\n")
    ended = make_try("tables", tmp_path / "bad.csv", tmp_path=tmp_path)
    assert ended.returncode != 0
    assert "code      ragged\nmessage   line 2: expected 2 columns, found 1\n" in ended.stdout
    assert "Error 65" in ended.stderr


def test_what_a_processor_raises_is_shown_with_the_line_of_its_code(tmp_path):
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "t.txt").write_text("twelve")
    asked = '{"processor": "broken:process", "options": {}, "memory": 1024, "vcpu": 0.5}'
    path = f"{ROOT / 'worker'}:{ROOT / 'plugins'}:{tmp_path}"
    command = [str(ROOT / ".venv-worker" / "bin" / "python"), "-m", "filebatch_worker.try_one", str(tmp_path / "t.txt")]
    environment = {"PYTHONPATH": path, "TMPDIR": str(tmp_path)}
    ended = subprocess.run(command, input=asked, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 70, ended.stderr
    assert "message   ValueError: invalid literal for int() with base 10: 'twelve'\n" in ended.stdout
    assert "raised    at line 4 of broken (process)\n" in ended.stdout
    assert "return int(total)" in ended.stdout


def test_a_program_is_tried_too(tmp_path):
    code = "import os; open(os.environ['FILEBATCH_OUTPUT'] + '/o.txt', 'w').write('made\\n')"
    options = f"options: {{command: [{sys.executable}, -c, {code!r}]}}"
    (tmp_path / "t").write_text("x")
    ended = make_try(feed_file(tmp_path, f"processor: command\n{options}"), tmp_path / "t", tmp_path=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "o.txt:\n  made\n" in ended.stdout


@pytest.mark.parametrize(
    ("feed", "file", "told"),
    [
        ("", "", "expected a feed and a file: make try FEED=tables FILE=samples/airports.csv"),
        ("nope", "README.md", "feeds there: tables, weather"),
        ("tables", "nope.csv", "there is no such file"),
        ("BROKEN", "README.md", "mine.yaml: memory: "),
    ],
)
def test_what_is_asked_wrongly_is_told(tmp_path, feed, file, told):
    broken = feed_file(tmp_path, "memory: much")
    ended = make_try(broken if feed == "BROKEN" else feed, file, tmp_path=tmp_path)
    assert "Error 64" in ended.stderr
    assert told in ended.stderr
