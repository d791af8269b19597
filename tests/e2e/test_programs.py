"""A feed whose files a program of the image processes: each way in which one ends, from drop to reason."""

import pytest
from airflow.sdk.exceptions import AirflowFailException

from e2e.steps import a_run, retire
from e2e.system import PROGRAMS, System
from filebatch.feeds.feed import load_feed

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("audited")]

ENDS = {
    "well": ('cp "$FILEBATCH_INPUT" "$FILEBATCH_OUTPUT/copy"', "SUCCEEDED", None, ""),
    "refused": ("echo no total >&2; exit 65", "INVALID", "refused", "the program refused the file (exit code 65)"),
    "busy": ("exit 75", "FAILED", "transient", "exit code 75"),
    "broken": ("exit 3", "FAILED", "bug", "the program ended with exit code 3"),
    "crashed": ("kill -SEGV $$", "FAILED", "bug", "the program was killed by signal 11"),
    "killed": ("kill -KILL $$", "FAILED", "out_of_memory", "MemoryError"),
    "slow": ("sleep 60", "FAILED", "bug", "timeout: the program took more than 5 s"),
    "much": ('head -c 200000 /dev/zero > "$FILEBATCH_OUTPUT/much"', "FAILED", "bug", "max_output_bytes"),
    "link": ('ln -s /etc/passwd "$FILEBATCH_OUTPUT/link"', "FAILED", "bug", "something else than files"),
    "nothing": ("exit 0", "FAILED", "bug", "wrote nothing to its output folder"),
}


def test_each_end_of_a_program_is_told_of_its_own_file(here: System) -> None:
    keys = {name: f"programs/{name}.txt" for name in ENDS}
    for name, (content, *_) in ENDS.items():
        here.put(keys[name], content)
    run = a_run(here, load_feed(PROGRAMS))

    run.task("claim_files")
    with pytest.raises(AirflowFailException, match="exit code 3") as failed:
        run.task("process_files")

    files = here.files("programs/")
    for name, (_, state, code, told) in ENDS.items():
        file = files[keys[name]]
        assert (name, str(file.state), file.reason and file.reason.code) == (name, state, code)
        assert told in (file.reason.message if file.reason else "")
    assert "no total" not in str(failed.value)
    [output] = here.result(files[keys["well"]]).outputs
    body = here.s3.get_object(Bucket=here.results, Key=output.key)["Body"].read()
    assert body.decode() == ENDS["well"][0]
    retire(here, [key for name, key in keys.items() if ENDS[name][1] == "FAILED"])
