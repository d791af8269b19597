"""A whole filebatch on one machine: the local AWS, and Airflow's four processes in front of it."""
