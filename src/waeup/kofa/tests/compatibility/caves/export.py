"""The export of caves."""

import grok
from zope.interface import implementer

from waeup.kofa.interfaces import ICSVExporter
from waeup.kofa.utils.batching import ExporterBase


@implementer(ICSVExporter)
class CavesExporter(grok.GlobalUtility, ExporterBase):
    """Exports caves."""

    grok.name("caves")

    fields = ("code", "title", "depth", "explored", "wet", "animals", "guide")
    title = "Caves"

    def mangle_value(self, value, name, context=None):
        if name == "animals" and value is not None:
            value = [str(animal) for animal in value]
        if name == "explored" and value is not None:
            value = value.isoformat() + "#"
        return super().mangle_value(value, name, context=context)

    def get_filtered(self, site, **kw):
        depth = kw.get("depth")
        caves = site["caves"].values()
        return [cave for cave in caves if depth is None or cave.depth == int(depth)]

    def get_selected(self, site, selected):
        return [site["caves"][code] for code in selected if code in site["caves"]]

    def export(self, caves, filepath=None):
        writer, outfile = self.get_csv_writer(filepath)
        for cave in caves:
            self.write_item(cave, writer)
        return self.close_outfile(filepath, outfile)

    def export_all(self, site, filepath=None):
        return self.export(site["caves"].values(), filepath)

    def export_filtered(self, site, filepath=None, **kw):
        return self.export(self.get_filtered(site, **kw), filepath=filepath)

    def export_selected(self, site, filepath=None, **kw):
        return self.export(self.get_selected(site, kw.get("selected", [])), filepath=filepath)
