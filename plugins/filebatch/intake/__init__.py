"""How files come to be known: events, listings of the bucket, and the rule when a run is asked for."""
