"""Tests of the import paths of Kofa 1.9."""
