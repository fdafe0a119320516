"""The trees in which students, and their numbers, are found.

Students come in the order of their ids, and of a few hundred series of numbers (department and
year), so that an import writes to as many places of a tree as there are series.  With the sizes
that BTrees has for keys of any kind, each of these places costs a node with hundreds of keys
once the tree is large.
"""

from BTrees.OOBTree import OOBTree


class StudentTree(OOBTree):
    """An OOBTree with larger leaves, of which there are fewer, and smaller nodes above them.

    Its name is a database format; trees of former releases are plain ones, and stay so.
    """

    __slots__ = ()

    max_leaf_size = 60
    max_internal_size = 50
