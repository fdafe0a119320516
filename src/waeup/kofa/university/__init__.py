"""The academic tree: faculties > departments > courses.

Objects and look-ups here know nothing of tables; `processors` says what a row
of a file means for them.
"""
