"""Shows broken feed files as import errors; it has no DAG of its own: a mention of airflow.sdk.DAG has it parsed."""

from pathlib import Path

from filebatch.errors import ConfigurationError
from filebatch.feed import load_feeds

_, errors = load_feeds(Path(__file__).parent / "feeds")
if errors:
    raise ConfigurationError("\n".join(map(str, errors)))
