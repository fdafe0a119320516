"""``python -m waeup.kofa.cli`` is ``kofactl``."""

import sys

from waeup.kofa.cli import main

sys.exit(main())
