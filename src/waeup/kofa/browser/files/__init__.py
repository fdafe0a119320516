"""The files of the data center, before and after: what waits, what came back, what can be fetched.

`home` is the page that officers work from: an import begins there, and its results come back to
it.  `folders` has what was imported and what was deleted, `exports` makes files of objects.
"""
