"""Layers for tests, contracts to inherit, and the collector of narratives.

A *narrative* is a text file whose examples are run, because it says ``.. :doctest:``. If it also
says ``.. :layer: dotted.name``, they run in that layer::

    A heading
    *********

    .. :doctest:
    .. :layer: waeup.kofa.testing.KofaUnitTestLayer

The markers are those of z3c.testsetup, which does not run on Python 3.11. ::

    python -m waeup.kofa.testing PATH...

runs narratives that stand anywhere, in their layer, written for Python 2's `open`.
"""

from importlib import import_module
from typing import Any

from waeup.kofa.testing.exporters import ExporterContract
from waeup.kofa.testing.kinds import KindContract
from waeup.kofa.testing.layers import KofaUnitTestLayer, fresh_directories
from waeup.kofa.testing.narratives import (
    NarrativeError,
    forgiving_open,
    main,
    narratives,
    read_markers,
)
from waeup.kofa.testing.processors import ProcessorContract
from waeup.kofa.testing.samples import SamplePortal, SampleSite

__all__ = [
    "ExporterContract",
    "KindContract",
    "KofaUnitTestLayer",
    "NarrativeError",
    "ProcessorContract",
    "SamplePortal",
    "SampleSite",
    "forgiving_open",
    "fresh_directories",
    "main",
    "narratives",
    "read_markers",
]


def __getattr__(name: str) -> Any:
    """Give, on demand, `FunctionalLayer` and `FunctionalTestCase`: they need the extra `test`."""
    if name in ("FunctionalLayer", "FunctionalTestCase"):
        return getattr(import_module("waeup.kofa.tests.functional"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
