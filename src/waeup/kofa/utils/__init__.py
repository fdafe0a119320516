"""The import paths of Kofa 1.9 that site components use.

Thin modules over the rooms; nobody inside the package imports them.
"""
