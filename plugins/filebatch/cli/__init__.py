"""`filebatch`: every file found, explained and done again from a shell. Beside Airflow's side, and without Airflow."""
