"""`python -m filebatch.cli`."""

from filebatch.cli.commands import main

if __name__ == "__main__":
    main()
