"""`python -m orthogan.cli`: the command line where the `orthogan` script is not on the path."""

import sys

from orthogan.cli import main

sys.exit(main())
