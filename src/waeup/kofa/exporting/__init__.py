"""Objects to rows of CSV: what a processor imports, an exporter gives back.

To export a new kind of object, derive from `waeup.kofa.exporting.base.ExporterBase`
and `grok.GlobalUtility`, name the columns in `fields`, and say in `get_filtered`
which objects there are.
"""
