"""The server and its command line: who is let in, what is recorded, how it is started and ended."""
