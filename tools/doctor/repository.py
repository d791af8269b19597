"""What a clone alone tells: feed files, the plugins and how they are packed, what they need."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement

from doctor.told import Finding, Told
from filebatch.feeds.feed import load_feeds
from filebatch.provider_info import NAME, get_provider_info

LIBRARY, PLUGIN = "filebatch", "filebatch_plugin.py"
IGNORED = "filebatch/"  # the dag processor of a folder that holds plugins too would parse the library for DAGs

FAILED = "FAILED "
IMPORT_EACH = f"""
import importlib, sys
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except Exception as error:
        print(f"{FAILED}{{module}} can't be imported: {{error}}")
"""


def feed_files(root: Path) -> Iterator[Told]:
    """Tell of each feed file that Airflow would show as an import error."""
    for error in load_feeds(root / "dags" / "feeds")[1]:
        yield Finding(
            str(error), "the feed has no DAG, so its files wait", "correct the file; docs/feeds.md has all fields"
        )


def plugins_zip(root: Path) -> Iterator[Told]:
    """Tell of whatever MWAA would not find where it looks, once it has unpacked the zip into its plugins folder."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "plugins.zip"
        subprocess.run([sys.executable, root / "infra" / "plugins-zip", target], check=True)
        names = zipfile.ZipFile(target).namelist()
    for needed in (f"{LIBRARY}/__init__.py", PLUGIN, ".airflowignore"):
        if needed not in names:
            yield Finding(
                f"plugins.zip has no {needed}", "Airflow doesn't find the library", f"restore plugins/{needed}"
            )
    ignore = root / "plugins" / ".airflowignore"
    if ignore.exists() and IGNORED not in ignore.read_text(encoding="utf-8").splitlines():
        yield Finding(
            f"plugins/.airflowignore has no line {IGNORED}",
            "where plugins lie in the DAG folder, Airflow parses the library for DAGs",
            f"add the line {IGNORED}",
        )


def shadowing(root: Path) -> Iterator[Told]:
    """Tell of each file or folder whose name Python would take for another module's."""
    others = sys.stdlib_module_names | {name for name, of in packages_distributions().items() if NAME not in of}
    for folder in ("plugins", "dags"):
        for found in sorted((root / folder).iterdir()):
            if found.stem in others and (found.suffix == ".py" or found.is_dir()):
                yield Finding(
                    f"{folder}/{found.name} has the name of a module",
                    f"whoever imports {found.stem} gets this one, or this one isn't found",
                    "give it another name",
                )


def triggers(root: Path) -> Iterator[Told]:
    """Tell of triggers that can't be imported from the plugins alone: a triggerer has no DAG folder on its path."""
    (listed,) = get_provider_info()["triggers"]
    command = [sys.executable, "-c", IMPORT_EACH, *listed["python-modules"]]
    with tempfile.TemporaryDirectory() as home:
        env = {**_without_airflow(), "PYTHONPATH": str(root / "plugins"), "AIRFLOW_HOME": home}
        ended = subprocess.run(command, env=env, capture_output=True, text=True, check=True, cwd=root / "plugins")
    for line in (line for line in ended.stdout.splitlines() if line.startswith(FAILED)):
        yield Finding(
            line.removeprefix(FAILED),
            "a triggerer can't resume deferred tasks, and no doorbell rings",
            "triggers may import nothing from dags/, and only what requirements.txt and Airflow bring",
        )


def _without_airflow() -> dict[str, str]:
    """Return the environment without settings of Airflow: those of `make env` name modules that a triggerer lacks."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}


def requirements(root: Path) -> Iterator[Told]:
    """Tell of each requirement that isn't what the tests ran with."""
    locked = _pins(root / "requirements" / "airflow-3.2.1.txt")
    for name, version in _pins(root / "requirements.txt").items():
        if locked.get(name) != version:
            yield Finding(
                f"requirements.txt has {name}=={version}, the lock {locked.get(name)}",
                "the environment installs what wasn't tested, or refuses it against Airflow's constraints",
                "make both the same: edit requirements/airflow.in, then `make lock`",
            )


def _pins(file: Path) -> dict[str, str]:
    lines = (line.split(" #")[0].strip(" \\") for line in file.read_text(encoding="utf-8").splitlines())
    found = [Requirement(line) for line in lines if line[:1].isalpha()]
    return {each.name.lower(): next(iter(each.specifier)).version for each in found if each.specifier}


CHECKS = {
    "feed files": feed_files,
    "plugins.zip": plugins_zip,
    "names that shadow modules": shadowing,
    "triggers": triggers,
    "requirements": requirements,
}
