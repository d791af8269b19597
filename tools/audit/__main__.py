"""`python -m audit [SETTINGS.json]`: exit code 0 only for `lost=0 doubled=0 untrue=0 stuck=0`.

Without a file the settings are those of the shell (AIRFLOW_VAR_FILEBATCH), else of the running local AWS.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
from botocore.exceptions import EndpointConnectionError

from filebatch.feeds import settings
from filebatch.feeds.feed import load_feeds
from filebatch.queries.audit import audit

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit all feeds; print what was found."""
    parser = argparse.ArgumentParser(prog="audit", description="Compare bucket, ledger and results of all feeds.")
    parser.add_argument("settings", nargs="?", type=Path, help="JSON file of settings (default: see `make audit`)")
    found = settings.parse(_settings(parser.parse_args(arguments).settings))
    feeds, errors = load_feeds(ROOT / "dags" / "feeds")
    session = boto3.Session(region_name=found.region)
    try:
        result = audit(feeds, found, session.client("s3"), session.client("dynamodb"))
    except EndpointConnectionError as nobody:
        raise SystemExit(
            f"nothing answers where the settings say that AWS is ({nobody}): start the local AWS with `make aws` or "
            '`make up`, then eval "$(make -s env)" once more'
        ) from nobody
    sys.stderr.write(f"audited: {found.environment} in {found.region}\n")
    sys.stdout.write(f"{result}\n")
    for error in errors:
        sys.stderr.write(f"not audited: {error}\n")
    return int(bool(result.findings) or bool(errors))


def _settings(file: Path | None) -> object:
    if file:
        return json.loads(file.read_text(encoding="utf-8"))
    if "AIRFLOW_VAR_FILEBATCH" in os.environ:
        return json.loads(os.environ["AIRFLOW_VAR_FILEBATCH"])
    return _of_local_aws()


def _of_local_aws() -> object:
    from filebatch_local.base.layout import Layout
    from filebatch_local.serve.background import running
    from filebatch_local.serve.shell import environment, take_over

    layout = Layout.here()
    aws = running(layout)
    if aws is None:
        raise SystemExit("no settings: give a file, set AIRFLOW_VAR_FILEBATCH, or start the local AWS with `make aws`")
    shell = environment(layout, aws.endpoint, aws.settings, aws.key)
    take_over(shell)
    return aws.settings


if __name__ == "__main__":
    sys.exit(main())
