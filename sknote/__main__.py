"""``python -m sknote``: the command line."""

import sys

from sknote.cli import main

if __name__ == "__main__":
    sys.exit(main())
