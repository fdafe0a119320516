"""Tests of the room `waeup.kofa.journal`."""
