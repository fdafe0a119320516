"""Caves: a module of a site in the manner of Kofa 1.9."""
