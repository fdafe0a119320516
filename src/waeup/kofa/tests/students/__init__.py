"""Tests of `waeup.kofa.students`."""
