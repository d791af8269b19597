"""Shows broken feed files as import errors in Airflow, and leaves the other feeds' DAGs alive; it has no DAG itself."""

from pathlib import Path

from filebatch.core.errors import ConfigurationError
from filebatch.feeds.feed import load_feeds

_, errors = load_feeds(Path(__file__).parent / "feeds")
if errors:
    raise ConfigurationError("\n".join(map(str, errors)))
