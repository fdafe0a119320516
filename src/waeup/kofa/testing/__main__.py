"""``python -m waeup.kofa.testing PATH...`` runs narratives; see `waeup.kofa.testing`."""

import sys

from waeup.kofa.testing.narratives import main

if __name__ == "__main__":
    sys.exit(main())
