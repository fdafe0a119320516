"""Runs the narratives of the package and of the manual."""

import unittest
from pathlib import Path

from waeup.kofa.testing import narratives

PACKAGE = Path(__file__).parents[1]
DOCS = PACKAGE.parents[2] / "docs"


def test_suite() -> unittest.TestSuite:
    """Return every narrative, each in the layer that it names."""
    return narratives(PACKAGE, DOCS)
