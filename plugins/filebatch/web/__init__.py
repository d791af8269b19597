"""The Files page in Airflow's UI: what the query layer knows, to those whom Airflow lets see it."""
