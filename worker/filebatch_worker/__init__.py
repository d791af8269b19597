"""The container: does one unit of a round, file by file, and knows nothing of Airflow."""

__version__ = "0.1.0"
