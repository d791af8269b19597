"""Mutants: one thing in the plain modules is changed at a time, and the tests have to notice. See docs/testing.md."""
