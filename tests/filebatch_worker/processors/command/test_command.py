"""A program of the image as processor: real programs, and each way in which one ends."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from filebatch_worker import reasons
from filebatch_worker.file import classify
from filebatch_worker.processor import (
    ConfigurationError,
    InvalidFile,
    Processed,
    Source,
    TransientError,
    load_processor,
)
from filebatch_worker.processors.command import check_options, program
from filebatch_worker.processors.command.pipeline import NoFileError, NoOutputError, ProgramFailedError

COPY = """
import os, shutil, sys
shutil.copy(os.environ['FILEBATCH_INPUT'], os.environ['FILEBATCH_OUTPUT'] + '/copy')
"""


def run(tmp_path: Path, code: str, *arguments: str, name: str = "a.txt", **options: Any) -> Processed:
    fetched = tmp_path / "source"  # in the folder that a processor works in, as the worker has it
    fetched.write_bytes(b"content")
    command = [sys.executable, "-c", code, *arguments]
    process = load_processor("command")
    return process(Source(fetched, name, 7), tmp_path, {"command": command, **options})


def test_what_the_program_writes_is_the_result(tmp_path):
    code = COPY + "os.mkdir(sys.argv[2] + '/sub'); open(sys.argv[2] + '/sub/b', 'w').write(sys.argv[1])"
    processed = run(tmp_path, code, "{input}", "{output}")
    found = {output.name: output.path.read_text() for output in processed.outputs}
    assert found == {"copy": "content", "sub/b": str(tmp_path / "source")}


def test_the_program_is_told_name_and_parameters_and_nothing_of_the_workers(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    code = "import os, json; json.dump(dict(os.environ), open(os.environ['FILEBATCH_OUTPUT'] + '/e', 'w'))"
    processed = run(tmp_path, code, name="$(reboot); ä.csv", parameters={"level": 3})
    told = json.loads(processed.outputs[0].path.read_text())
    assert (told["FILEBATCH_NAME"], json.loads(told["FILEBATCH_PARAMETERS"])) == ("$(reboot); ä.csv", {"level": 3})
    assert not [name for name in told if name.startswith("AWS")]


def test_no_shell_reads_the_arguments(tmp_path):
    code = COPY + "open(os.environ['FILEBATCH_OUTPUT'] + '/argument', 'w').write(sys.argv[1])"
    processed = run(tmp_path, code, "$(id); *", name="x")
    assert processed.outputs[0].path.read_text() == "$(id); *"


def test_programs_are_looked_for_where_the_image_says(tmp_path, monkeypatch):
    place = tmp_path / "opt"
    place.mkdir()
    tool = place / "acme-convert"
    tool.write_text(f'#!/bin/sh\n[ "$PATH" = {place}:/bin ] && cp "$FILEBATCH_INPUT" "$FILEBATCH_OUTPUT/copy"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}:/bin")
    fetched = tmp_path / "source"
    fetched.write_bytes(b"content")
    processed = load_processor("command")(Source(fetched, "a", 7), tmp_path, {"command": ["acme-convert"]})
    assert [output.name for output in processed.outputs] == ["copy"]
    monkeypatch.delenv("PATH")
    check_options({"command": ["sh"]})
    with pytest.raises(ConfigurationError, match="acme-convert"):
        check_options({"command": ["acme-convert"]})


MEANINGS = {65: (InvalidFile, None), 75: (TransientError, "transient")}


@pytest.mark.parametrize("code", [*range(1, 8), *range(64, 79), 126, 127, 137, 255])
def test_each_exit_code_has_a_meaning(tmp_path, code):
    kind, meaning = MEANINGS.get(code, (ProgramFailedError, "bug"))
    with pytest.raises(kind) as caught:
        run(tmp_path, COPY + f"print('no total', file=sys.stderr); sys.exit({code})")
    assert str(code) in str(caught.value)
    assert "no total" in str(caught.value)
    assert meaning is None or classify(caught.value) == meaning


def test_what_a_program_says_of_an_invalid_file_is_for_quarantine_alone(tmp_path):
    with pytest.raises(InvalidFile) as caught:
        run(tmp_path, "import sys; print('x' * 10**6 + 'end'); print('line 3: Jo Doe', file=sys.stderr); sys.exit(65)")
    error = caught.value
    assert (error.code, error.summary) == ("refused", "the program refused the file (exit code 65)")
    assert error.where["stderr"] == "line 3: Jo Doe\n"
    assert (len(error.where["stdout"]), error.where["stdout"][-4:]) == (4000, "end\n")


@pytest.mark.parametrize("number", [6, 11, 15])
def test_a_program_that_is_killed_has_failed(tmp_path, number):
    with pytest.raises(ProgramFailedError, match=f"signal {number}"):
        run(tmp_path, f"import os; os.kill(os.getpid(), {number})")


def test_a_program_that_is_killed_as_the_kernel_does_needs_more_memory(tmp_path):
    with pytest.raises(MemoryError) as caught:
        run(tmp_path, "import os; os.kill(os.getpid(), 9)")
    assert classify(caught.value) == "out_of_memory"


def test_a_program_that_takes_too_long_is_killed_with_all_that_it_started(tmp_path):
    code = (
        "import os, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', 'import time; "
        "time.sleep(600)']); open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(600)"
    )
    with pytest.raises(program.TimedOutError) as caught:
        run(tmp_path, code, str(tmp_path / "child"), timeout=2)
    assert classify(caught.value) == "bug"
    assert _is_gone(int((tmp_path / "child").read_text()))


def test_what_a_program_leaves_running_is_killed(tmp_path):
    code = COPY + (
        "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
        "open(sys.argv[1], 'w').write(str(child.pid))"
    )
    run(tmp_path, code, str(tmp_path / "child"))
    assert _is_gone(int((tmp_path / "child").read_text()))


def test_what_it_started_in_a_process_group_of_its_own_is_killed_too(tmp_path):
    code = COPY + (
        "import subprocess; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], "
        "process_group=0); open(sys.argv[1], 'w').write(str(child.pid))"
    )
    run(tmp_path, code, str(tmp_path / "child"))
    assert _is_gone(int((tmp_path / "child").read_text()))


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except OSError:
            return True
        if state in "ZX":
            return True
    return False


@pytest.mark.parametrize("files", [1, 20])
def test_a_program_that_writes_more_than_it_may_is_ended(tmp_path, files):
    code = (
        "import os\n"
        f"for at in range({files}):\n"
        f" open(os.environ['FILEBATCH_OUTPUT'] + f'/{{at}}', 'wb').write(bytes(2_000_000 // {files}))"
    )
    with pytest.raises(program.WroteTooMuchError, match="max_output_bytes: the program wrote more than 1000000 bytes"):
        run(tmp_path, code, max_output_bytes=1_000_000)


def test_a_file_that_the_kernel_cut_is_no_result_though_the_program_ends_well(tmp_path):
    code = (
        "import os, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "file = os.open(os.environ['FILEBATCH_OUTPUT'] + '/a', os.O_CREAT | os.O_WRONLY)\n"
        "os.write(file, bytes(5000)); os.close(file)"
    )
    with pytest.raises(program.WroteTooMuchError):
        run(tmp_path, code, max_output_bytes=2000)


def test_the_input_does_not_count_as_written(tmp_path):
    assert run(tmp_path, COPY, max_output_bytes=len(b"content"))


def test_a_link_in_place_of_the_output_folder_is_no_result(tmp_path):
    code = "import os; out = os.environ['FILEBATCH_OUTPUT']; os.rmdir(out); os.symlink('/etc', out)"
    with pytest.raises(NoFileError, match="link where its output folder was"):
        run(tmp_path, code)


def test_how_a_program_ended_is_told_without_its_words(tmp_path):
    with pytest.raises(ProgramFailedError) as caught:
        run(tmp_path, "import sys; print('Jo Doe', file=sys.stderr); sys.exit(3)")
    told = reasons.of_failure("bug", caught.value, show_values=False).message
    assert "ProgramFailedError: the program ended with exit code 3" in told
    assert "Jo Doe" not in told
    log = reasons.trace(caught.value, show_values=False)
    assert log == told  # lines of the worker would say nothing of the program
    assert reasons.trace(caught.value, show_values=True).endswith("code 3: Jo Doe")


def test_a_program_that_takes_the_containers_memory_is_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("FILEBATCH_MEMORY_MIB", "128")
    with pytest.raises(MemoryError):
        run(tmp_path, "import time; held = bytearray(b'x') * (200 * 2**20); time.sleep(600)")


def test_a_program_that_writes_nothing_has_failed(tmp_path):
    with pytest.raises(NoOutputError):
        run(tmp_path, "")


@pytest.mark.parametrize(
    "made",
    [
        "os.symlink('/etc/passwd', out + '/a')",
        "os.symlink('/etc', out + '/a')",
        "os.symlink('/nowhere', out + '/a')",
        "os.mkfifo(out + '/a')",
        "open(out + '/a\\nb', 'w')",
        "open(os.fsencode(out) + b'/\\xff', 'w')",
    ],
)
def test_what_is_no_plain_file_is_no_result(tmp_path, made):
    with pytest.raises(NoFileError):
        run(tmp_path, f"import os; out = os.environ['FILEBATCH_OUTPUT']; {made}")


@pytest.mark.parametrize("program_name", ["no-such-program", "/etc/passwd", "/"])
def test_a_program_that_is_missing_is_told_before_the_first_file(program_name):
    with pytest.raises(ConfigurationError, match="no program"):
        check_options({"command": [program_name]})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({}, "command"),
        ({"command": "rm -rf"}, "list of texts"),
        ({"command": []}, "list of texts"),
        ({"command": ["cp", 3]}, "list of texts"),
        ({"command": ["cp"], "timeout": 0}, "timeout"),
        ({"command": ["cp"], "max_output_bytes": "many"}, "max_output_bytes"),
        ({"command": ["cp"], "parameters": []}, "parameters"),
        ({"command": ["cp"], "shell": True}, "shell"),
    ],
)
def test_options_that_do_not_fit_are_told(options, told):
    with pytest.raises(ConfigurationError, match=told):
        check_options(options)


def test_a_program_may_read_nothing_from_standard_input(tmp_path):
    run(tmp_path, COPY + "assert sys.stdin.read() == ''")
