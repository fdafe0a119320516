"""The import path of Kofa 1.9 for the bases of importers and exporters."""

from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.importing.processor import BatchProcessor

__all__ = ["BatchProcessor", "ExporterBase"]
