"""The import path of Kofa 1.9 for the bases of importers and exporters."""

import os
import tempfile
from typing import Any

from zope.component import getUtility
from zope.component.hooks import setSite

from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.importing.processor import BatchProcessor
from waeup.kofa.interfaces import ICSVExporter

__all__ = ["BatchProcessor", "ExporterBase", "export_job"]


def export_job(site: Any, exporter_name: str, **kw: Any) -> str:
    """Export at once, and return the path of the table, in a new temporary folder.

    Without keywords all objects are exported, with the keyword `selected` those of its ids,
    else those that fit the keywords.  `site` becomes the current site.  The caller removes the
    folder.  In a portal `waeup.kofa.operations.Operations.start_export` does it in the background.
    """
    setSite(site)
    exporter = getUtility(ICSVExporter, name=exporter_name)
    path = os.path.join(tempfile.mkdtemp(prefix="kofa-export-"), f"{exporter_name}.csv")
    if not kw:
        exporter.export_all(site, filepath=path)
    elif "selected" in kw:
        exporter.export_selected(site, filepath=path, **kw)
    else:
        exporter.export_filtered(site, filepath=path, **kw)
    return path
