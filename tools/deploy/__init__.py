"""Brings this clone's plugins, requirements, DAGs and feeds to where an Airflow reads them, and back again."""
