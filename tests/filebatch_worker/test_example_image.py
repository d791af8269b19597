"""worker/example-image: a processor of somebody's own, with a package of its own, on the worker's image."""

import csv
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

import engine
from aws import ROOT

FOLDER = ROOT / "worker" / "example-image"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
TAG = "acme-files:test"

CELLS = [["order", "amount"], ["a1", 12.5], ["a2", 3.0]]
DO = """
import json, pathlib, sys
from filebatch_worker.processor import InvalidFile, Source, load_processor
path = pathlib.Path("/scratch/in"); path.write_bytes(sys.stdin.buffer.read())
work = pathlib.Path("/scratch/out"); work.mkdir()
try:
    source, options = Source(path, "o.xlsx", path.stat().st_size), json.loads(sys.argv[1])
    done = load_processor("acme.workbook:sheet")(source, work, options)
    print(json.dumps({"rows": done.rows, "csv": (work / "data.csv").read_text()}))
except InvalidFile as error:
    print(json.dumps({"code": error.code}))
"""


OFFICE = "http://schemas.openxmlformats.org"
MAIN, RELATIONS = f"{OFFICE}/spreadsheetml/2006/main", f"{OFFICE}/officeDocument/2006/relationships"


def _related(kind: str, to: str) -> str:
    relation = f'<Relationship Id="r1" Type="{RELATIONS}/{kind}" Target="{to}"/>'
    return f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{relation}</Relationships>'


def workbook(cells: list[list[str | float]]) -> bytes:
    """Return the smallest xlsx that holds these cells."""

    def cell(value: str | float) -> str:
        return f'<c t="str"><v>{value}</v></c>' if isinstance(value, str) else f"<c><v>{value}</v></c>"

    rows = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in cells)
    sheets = '<sheets><sheet name="one" sheetId="1" r:id="r1"/></sheets>'
    parts = {
        "_rels/.rels": _related("officeDocument", "xl/workbook.xml"),
        "xl/_rels/workbook.xml.rels": _related("worksheet", "worksheets/one.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}">{sheets}</workbook>',
        "xl/worksheets/one.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.fixture(scope="module")
def image() -> str:
    return engine.build(FOLDER / "Dockerfile", FOLDER, TAG, WORKER=engine.worker())


@pytest.mark.docker
class TestBuilt:
    def test_its_processor_does_a_file_with_the_package_that_it_brings(self, image):
        done = engine.run(image, "python", "-c", DO, "{}", stdin=workbook(CELLS))
        assert done.returncode == 0, done.stderr.decode()
        said = json.loads(done.stdout)
        assert said["rows"] == 3
        assert list(csv.reader(io.StringIO(said["csv"]))) == [["order", "amount"], ["a1", "12.5"], ["a2", "3.0"]]

    @pytest.mark.parametrize(("content", "code"), [(b"no workbook", "unreadable"), (workbook([]), "empty")])
    def test_what_is_wrong_with_a_file_is_its_suppliers_to_know(self, image, content, code):
        assert json.loads(engine.run(image, "python", "-c", DO, "{}", stdin=content).stdout) == {"code": code}

    @pytest.mark.parametrize(("sheet", "found"), [("one", {"rows": 3}), ("two", {"code": "no-sheet"})])
    def test_an_option_names_the_sheet(self, image, sheet, found):
        told = engine.run(image, "python", "-c", DO, json.dumps({"sheet": sheet}), stdin=workbook(CELLS)).stdout
        assert found.items() <= json.loads(told).items()

    def test_it_is_the_workers_in_all_else(self, image):
        theirs, workers = (engine.docker("image", "inspect", each).stdout for each in (image, engine.worker()))
        same = ("User", "Cmd", "Entrypoint", "Volumes", "WorkingDir")
        assert [json.loads(theirs)[0]["Config"].get(each) for each in same] == [
            json.loads(workers)[0]["Config"].get(each) for each in same
        ]
        assert b"No module named pip" in engine.run(image, "python", "-m", "pip").stderr

    def test_its_list_has_what_came(self, image):
        listed = engine.run(image, "cat", "/usr/share/filebatch/licences.tsv").stdout.decode()
        assert re.search(r"^pkg:pypi/python-calamine@\S+\t\S+\tMIT\t/opt/acme/", listed, re.MULTILINE)
        assert "pkg:pypi/duckdb@" in listed


class TestWithoutAnEngine:
    def test_it_has_the_base_the_user_and_the_python_of_the_workers_image(self):
        workers = (ROOT / "worker" / "Dockerfile").read_text(encoding="utf-8")
        (base,) = re.findall(r"^ARG BASE=.*$", workers, re.MULTILINE)
        (user,) = re.findall(r"^ARG SCRATCH_UID=(\d+)$", workers, re.MULTILINE)
        assert base in DOCKERFILE
        assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)[-1] == f"{user}:{user}"

    def test_its_packages_are_locked_with_hashes_and_none_is_the_workers(self):
        named = {
            file: set(re.findall(r"^([\w.-]+)==", file.read_text(encoding="utf-8"), re.MULTILINE))
            for file in (FOLDER / "requirements.txt", ROOT / "requirements" / "worker.txt")
        }
        its, workers = named.values()
        assert its
        assert not its & workers
        assert "--require-hashes" in DOCKERFILE

    def test_the_page_shows_its_dockerfile(self):
        page = (ROOT / "docs" / "processors.md").read_text(encoding="utf-8")
        assert "worker/example-image" in page
        instructions = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
        assert "\n".join(instructions) in page

    def test_a_build_is_given_no_more_than_it_takes(self):
        assert sorted(each.name for each in Path(FOLDER).iterdir() if each.name != "__pycache__") == [
            "Dockerfile",
            "acme",
            "requirements.in",
            "requirements.txt",
        ]
