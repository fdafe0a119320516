"""Tests of the room `waeup.kofa.tabular`."""
