"""How a file becomes an import: bring it, say how it is read and what it is, mend it, order.

`kinds` tells beforehand what can be imported, and `uploading` brings files.  Then come the steps,
which work on one draft (`steps`): `importing` has the first and the second, with `reading`,
`mapping` the third, `mending` the fourth, from whose order on there is a run.
"""
