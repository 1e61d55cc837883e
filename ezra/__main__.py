"""`python -m ezra` is the command `ezra`."""

import sys

from ezra.cli import main

sys.exit(main())
