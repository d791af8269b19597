"""What Airflow's side and the worker share; the worker's image holds it. It needs neither Airflow nor a feed file."""
