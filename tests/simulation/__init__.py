"""A deterministic simulation: filebatch's real code on AWS, Airflow and a clock that are simulated, in one process."""
