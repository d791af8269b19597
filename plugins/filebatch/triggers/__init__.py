"""What deferred tasks wait on, and the doorbell.

Triggers live here, as the triggerer has no dags folder on its path.
"""
