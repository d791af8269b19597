"""The command line: `python -m filebatch_local`."""

import sys

from filebatch_local.serve.cli import main

sys.exit(main())
