"""What would go wrong in a deployment, found before it does: of the repository, then of an environment."""
