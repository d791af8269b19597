"""The two ways into a deployment, plugins.zip and the wheel: the same bytes everywhere, and Airflow loads either."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest
from airflow.providers_manager import _create_provider_info_schema_validator
from airflow.sdk import BaseNotifier, BaseOperatorLink
from packaging.requirements import Requirement

from filebatch.operators import links, notifiers
from filebatch.provider_info import get_provider_info
from filebatch.triggers.arrivals import ArrivalsTrigger
from filebatch.triggers.round_job import RoundJobTrigger

ROOT = Path(__file__).parents[2]
NOT_IN_A_CLONE = shutil.ignore_patterns(".git", ".venv*", ".local", "__pycache__", ".*_cache", ".terraform", "tests")

# What Airflow's processes do with what is installed: list plugins and providers, make a trigger again from its path.
LOAD = """
import importlib, json, sys
from airflow import plugins_manager
from airflow.providers_manager import ProvidersManager

listed = plugins_manager.get_plugin_info()
paths = [path.rpartition(".") for path in sys.argv[1:]]
triggers = [getattr(importlib.import_module(module), name).__name__ for module, _, name in paths]
providers = [name for name, found in ProvidersManager().providers.items() if "filebatch" in name]
links = [name for name in ProvidersManager().extra_links_class_names if "filebatch" in name]
plugins = [plugin["name"] for plugin in listed if "filebatch" in plugin["name"]]
import filebatch
print(json.dumps([plugins, providers, links, triggers, filebatch.__file__]), file=sys.__stdout__)
"""


BROUGHT_BY_AIRFLOW = {"apache-airflow", "click"}


def wheel(root: Path, folder: Path) -> Path:
    """Build the wheel of a clone, as `make wheel` does."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=root, check=True, capture_output=True)
    (found,) = folder.glob("*.whl")
    return found


def plugins_zip(root: Path, folder: Path) -> Path:
    subprocess.run([sys.executable, root / "infra" / "plugins-zip", folder / "plugins.zip"], check=True)
    return folder / "plugins.zip"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository at another place and another time."""
    other = tmp_path_factory.mktemp("elsewhere") / "filebatch"
    shutil.copytree(ROOT, other, ignore=NOT_IN_A_CLONE, copy_function=shutil.copyfile)
    for file in other.rglob("*"):
        os.utime(file, (10**9, 10**9))
    return other


@pytest.mark.parametrize("pack", [wheel, plugins_zip])
def test_clones_at_different_times_make_the_same_bytes(clone: Path, tmp_path: Path, pack) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()

    assert pack(ROOT, tmp_path / "here").read_bytes() == pack(clone, tmp_path / "there").read_bytes()


def loaded(folder: Path, **variables: str) -> list[object]:
    """Return what a process of Airflow finds: plugins, providers, their buttons, triggers, where the library lies."""
    command = [sys.executable, "-c", LOAD]
    command += [f"{kind.__module__}.{kind.__qualname__}" for kind in (ArrivalsTrigger, RoundJobTrigger)]
    env = {**os.environ, "AIRFLOW_HOME": str(folder), "PYTHONPATH": "", **variables}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=folder)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.parametrize("pack", [wheel, plugins_zip])
def test_airflow_loads_it(tmp_path: Path, pack) -> None:
    target, nothing = tmp_path / "there", tmp_path / "nothing"
    nothing.mkdir()
    with zipfile.ZipFile(pack(ROOT, tmp_path)) as packed:
        packed.extractall(target)
    # A wheel lies where Python finds packages; MWAA unpacks the zip into the folder of plugins.
    where = {"PYTHONPATH": str(target)} if pack is wheel else {}
    plugins = nothing if pack is wheel else target

    found = loaded(tmp_path, AIRFLOW__CORE__PLUGINS_FOLDER=str(plugins), **where)

    providers = ["filebatch"] if pack is wheel else []
    buttons = sorted(get_provider_info()["extra-links"]) if pack is wheel else []
    library = str(target / "filebatch" / "__init__.py")
    assert found == [["filebatch"], providers, buttons, ["ArrivalsTrigger", "RoundJobTrigger"], library]


def test_beside_plugins_zip_the_wheel_comes_first(tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(ROOT, tmp_path)) as packed:
        packed.extractall(tmp_path / "wheel")
    with zipfile.ZipFile(plugins_zip(ROOT, tmp_path)) as packed:
        packed.extractall(tmp_path / "plugins")
    variables = {"PYTHONPATH": str(tmp_path / "wheel"), "AIRFLOW__CORE__PLUGINS_FOLDER": str(tmp_path / "plugins")}

    plugins, providers, _, _, library = loaded(tmp_path, **variables)

    assert (plugins, providers) == (["filebatch"], ["filebatch"])
    assert library == str(tmp_path / "wheel" / "filebatch" / "__init__.py")


def test_the_wheel_brings_the_command_line(tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(ROOT, tmp_path)) as packed:
        packed.extractall(tmp_path / "there")
    (installed,) = distributions(path=[str(tmp_path / "there")])
    (command,) = installed.entry_points.select(group="console_scripts", name="filebatch")
    run = f"import importlib; importlib.import_module({command.module!r}).{command.attr}(prog_name='filebatch')"

    env = {**os.environ, "PYTHONPATH": str(tmp_path / "there")}
    ended = subprocess.run([sys.executable, "-c", run, "--help"], env=env, capture_output=True, text=True, check=True)

    assert ended.stdout.startswith("Usage: filebatch")


def test_what_airflow_is_told_of_the_package_is_what_it_takes() -> None:
    _create_provider_info_schema_validator().validate(get_provider_info())


def test_the_package_tells_of_each_operator_sensor_and_trigger() -> None:
    info = get_provider_info()
    for folder in ("operators", "sensors", "triggers"):
        (told,) = info[folder]
        files = (ROOT / "plugins" / "filebatch" / folder).glob("*.py")
        modules = {file.stem for file in files} - {"__init__", "links", "notifiers"}  # what is no operator
        named = {name.rpartition(".")[2] for name in told["python-modules"]}
        assert named == modules if folder != "triggers" else named <= modules


def test_the_package_tells_of_each_button_and_of_no_notifier_as_it_brings_none() -> None:
    info = get_provider_info()
    made = {f"{links.__name__}.{name}" for name, found in vars(links).items() if _is_ours(found, BaseOperatorLink)}
    assert made == set(info["extra-links"])
    assert not [name for name, found in vars(notifiers).items() if _is_ours(found, BaseNotifier)]
    assert "notifications" not in info


def _is_ours(found: object, kind: type) -> bool:
    return isinstance(found, type) and issubclass(found, kind) and found.__module__.startswith("filebatch.")


def test_the_wheel_asks_for_what_requirements_txt_pins() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {Requirement(each).name: Requirement(each).specifier for each in project["dependencies"]}
    lines = [line.split(" #")[0] for line in (ROOT / "requirements.txt").read_text().splitlines()]
    pinned = [Requirement(line) for line in lines if line and not line.startswith("#")]

    assert {each.name for each in pinned} == asked.keys() - BROUGHT_BY_AIRFLOW
    assert all(asked[each.name].contains(next(iter(each.specifier)).version) for each in pinned)
