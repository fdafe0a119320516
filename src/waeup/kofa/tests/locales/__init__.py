"""Tests of languages, and what gathers the texts for translators."""
