"""The demo: the whole way of some files on one laptop, with real parts, shown as it happens."""
