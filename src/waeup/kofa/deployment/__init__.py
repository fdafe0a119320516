"""How the processes of a portal are set up: configuration, databases, what keeps them going.

The doors' programs (`waeup.kofa.cli`) use it; nothing of the portal itself does.  `conf` reads
what the operator says (``kofa.conf``), `databases` opens the kind of database that is named
there, `figures` are the limits that are said at a start.
"""
