"""Unit tests, one folder for each room, and the front of the test runner.

Narratives stand beside the code that they tell of, and are collected by ``test_narratives``.
"""
