"""`python -m tinytorch_core` runs the command `tinytorch`."""

import sys

from tinytorch_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
