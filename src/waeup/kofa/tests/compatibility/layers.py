"""Layers with the package of the site."""

from waeup.kofa.testing import FunctionalLayer, KofaUnitTestLayer

CAVES = "waeup.kofa.tests.compatibility.caves"


class CavesUnitLayer(KofaUnitTestLayer):
    """The components of the portal and of caves, without a database."""

    packages = (CAVES,)


class CavesFunctionalLayer(FunctionalLayer):
    """A portal that knows caves."""

    packages = (CAVES,)
