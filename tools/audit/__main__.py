"""`python -m audit [SETTINGS.json]`: exit code 0 only for `lost=0 doubled=0 untrue=0 stuck=0`.

Without a file the settings are those of the shell (AIRFLOW_VAR_FILEBATCH), else of the running local AWS.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
from botocore.exceptions import EndpointConnectionError

from filebatch.feeds.feed import load_feeds
from filebatch.queries.audit import audit
from surroundings import NoSettingsError, found_settings

ROOT = Path(__file__).parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Audit all feeds; print what was found."""
    parser = argparse.ArgumentParser(prog="audit", description="Compare bucket, ledger and results of all feeds.")
    parser.add_argument("settings", nargs="?", type=Path, help="JSON file of settings (default: see `make audit`)")
    try:
        found = found_settings(parser.parse_args(arguments).settings)
    except NoSettingsError as none:
        raise SystemExit(str(none)) from none
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


if __name__ == "__main__":
    sys.exit(main())
