"""Amazon MWAA, which moto hasn't: its API, environments that take their time, and their Airflow's answers."""
