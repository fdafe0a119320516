"""Tests of `waeup.kofa.university`."""
