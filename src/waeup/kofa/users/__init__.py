"""The accounts of the people who work with the portal."""
