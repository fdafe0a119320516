"""A package of a site as it was written for Kofa 1.9, with the changes for Python 3 only."""
