"""Texts, numbers and times in the languages of people: only doors use them, for pages and mail."""
