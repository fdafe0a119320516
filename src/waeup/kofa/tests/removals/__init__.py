"""Tests of the rows of removed objects."""
