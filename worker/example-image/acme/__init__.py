"""A company's processors."""
