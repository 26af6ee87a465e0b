"""`python -m orthogan`: the command line where the `orthogan` script is not on the path."""

import sys

from orthogan.cli import main

sys.argv[0] = "orthogan"  # what a run writes down as the command that made it
sys.exit(main())
