"""Tests of `waeup.kofa.users`."""
