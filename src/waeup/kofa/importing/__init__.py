"""Rows to objects, and what becomes of the files afterwards.

A processor knows a kind of objects; the engine takes the rows of a table through its
hooks and writes each row to the finished or the pending file; `distribution` puts
these files and the source into their places.
"""
