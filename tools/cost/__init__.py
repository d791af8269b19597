"""`make cost`: what an environment, a million files, and the same done otherwise cost: docs/cost.md's tables."""
