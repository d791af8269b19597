"""The demo: some files are dropped, processed and reported on one laptop, with the real parts."""
