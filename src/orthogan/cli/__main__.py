"""`python -m orthogan.cli`: the same as `python -m orthogan`."""

import sys

from orthogan.cli import main

sys.argv[0] = "orthogan"  # what a run writes down as the command that made it
sys.exit(main())
