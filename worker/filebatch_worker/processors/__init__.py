"""The processors that come with the worker."""
