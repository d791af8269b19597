"""The environment in which `airflow`, `aws` and boto3 talk to the local AWS: of a shell, and of processes."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from filebatch_local.base import access
from filebatch_local.base.layout import HOST, Layout
from filebatch_local.base.proxies import without_proxy

SCRIPTS = Path(__file__).parent


def environment(layout: Layout, endpoint: str, settings: Mapping[str, object], key: str) -> dict[str, str]:
    """Return the variables that a process needs, beside its own, to talk to the local AWS with these settings."""
    region = str(settings["region"])
    return {
        "AWS_ENDPOINT_URL": endpoint,
        **access.credentials(key),
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # MWAA's hosts have a prefix, which none of this machine's has
        # No profile, role or endpoint of a real account can be reached from here.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        **without_proxy(os.environ),
        "AIRFLOW_HOME": str(layout.airflow_home(Path(sys.prefix))),
        "AIRFLOW__CORE__DAGS_FOLDER": str(layout.root / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(layout.plugins),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        # No secret lies in a local Airflow's database, and every shell and process has to be able to read it.
        "AIRFLOW__CORE__FERNET_KEY": "",
        # A laptop has no database server: processes and shells that write wait for each other instead of failing.
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS": "filebatch_local.base.sqlite.connect_args",
        "PYTHONPATH": str(layout.package),
        "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        "AIRFLOW_VAR_FILEBATCH": json.dumps(settings),
    }


def take_over(variables: Mapping[str, str]) -> None:
    """Point this process at the local AWS alone: no AWS_ variable that it was started with stays."""
    for name in os.environ.keys() - access.without_aws(os.environ).keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in variables.items() if name.startswith("AWS_")})
    os.environ.update(without_proxy(os.environ))


def script(layout: Layout, variables: Mapping[str, str], published: int | None = None) -> str:
    """Return the script that a shell evaluates.

    Args:
        layout: the repository.
        variables: what `environment` says.
        published: port on loopback at which a server in a container is reached. The shell is outside, where the
            container's folders and its Airflow aren't. None for a server of this machine.
    """
    lines = _outside(variables, published) if published else _inside(layout, variables)
    return (SCRIPTS / "shell.sh").read_text(encoding="utf-8").replace("@exports@", "\n".join(lines))


def blocked() -> str:
    """Return the script that a shell evaluates where no local AWS runs."""
    return (SCRIPTS / "not_running.sh").read_text(encoding="utf-8")


def _inside(layout: Layout, variables: Mapping[str, str]) -> list[str]:
    """Put our `aws` first on the path, which uses the local AWS alone, and the repository's AWS CLI last."""
    ours, airflow, cli = layout.root / "infra" / "local" / "bin", Path(sys.executable).parent, layout.root / ".venv-cli"
    package = shlex.quote(variables["PYTHONPATH"])
    fixed = {name: value for name, value in variables.items() if name != "PYTHONPATH"}
    return [
        *_exports(fixed),
        f'export PATH={shlex.quote(f"{ours}:{airflow}")}:"$PATH":{shlex.quote(str(cli / "bin"))}',
        f'export PYTHONPATH={package}"${{PYTHONPATH:+:$PYTHONPATH}}"',
    ]


def _outside(variables: Mapping[str, str], port: int) -> list[str]:
    endpoint = f"http://{HOST}:{port}"
    aws = {name: value for name, value in variables.items() if name.startswith("AWS_")} | {"AWS_ENDPOINT_URL": endpoint}
    return [*_exports(aws), f"eval 'aws() {{ command aws \"$@\" --endpoint-url {endpoint}; }}'"]


def _exports(variables: Mapping[str, str]) -> list[str]:
    return [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
