"""The import of caves, with all hooks of a processor."""

import grok
from zope.component import createObject
from zope.interface import Interface, implementer

from waeup.kofa.interfaces import (
    DELETION_MARKER,
    IGNORE_MARKER,
    DuplicationError,
    FatalCSVError,
    IBatchProcessor,
)
from waeup.kofa.tests.compatibility.caves.interfaces import ICave
from waeup.kofa.utils.batching import BatchProcessor


@implementer(IBatchProcessor)
class CaveProcessor(BatchProcessor):
    """Imports caves."""

    grok.provides(IBatchProcessor)
    grok.context(Interface)
    util_name = "caveprocessor"
    grok.name(util_name)

    name = "Cave Processor"
    iface = ICave
    location_fields = ["code"]
    factory_name = "waeup.Cave"
    mode = None

    @property
    def available_fields(self):
        return sorted([*super().available_fields, "guide"])

    @property
    def required_fields(self):
        return [name for name in super().required_fields if name != "title"]

    @property
    def req(self):
        return {
            "create": self.location_fields + self.required_fields,
            "update": self.location_fields,
            "remove": self.location_fields,
        }

    def checkHeaders(self, headerfields, mode="ignore"):
        if mode == "create" and "title" not in headerfields:
            raise FatalCSVError("Need at least column title for import!")
        return super().checkHeaders(headerfields, mode)

    def getMapping(self, path, headerfields, mode):
        return super().getMapping(path, headerfields, mode)

    def applyMapping(self, row, mapping):
        return super().applyMapping(row, mapping)

    def emptyRow(self, row):
        return super().emptyRow(row)

    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        errs, inv_errs, conv_dict = super().checkConversion(row, mode, ignore_empty)
        guide = row.get("guide", IGNORE_MARKER)
        if guide not in (IGNORE_MARKER, DELETION_MARKER, ""):
            if guide not in grok.getSite()["users"]:
                errs.append(("guide", f"{guide} does not exist"))
            else:
                conv_dict["guide"] = guide
        return errs, inv_errs, conv_dict

    def parentsExist(self, row, site):
        return "caves" in site

    def entryExists(self, row, site):
        return self.getEntry(row, site) is not None

    def getParent(self, row, site):
        return site.get("caves")

    def getEntry(self, row, site):
        if not self.parentsExist(row, site):
            return None
        return site["caves"].get(row["code"])

    def callFactory(self, *args, **kw):
        return createObject(self.factory_name, *args, **kw)

    def checkCreateRequirements(self, parent, row, site):
        if len(parent) >= 5:
            return "No more than 5 caves."
        return None

    def checkUpdateRequirements(self, obj, row, site):
        if obj.wet and row.get("wet") is False:
            return "Caves do not dry."
        return None

    def checkRemoveRequirements(self, obj, row, site):
        if obj.animals:
            return "Somebody lives there."
        return None

    def addEntry(self, obj, row, site):
        if any(cave.title == obj.title for cave in site["caves"].values()):
            raise DuplicationError("Title exists already.")
        site["caves"].addCave(obj)

    def delEntry(self, row, site):
        cave = self.getEntry(row, site)
        if cave is not None:
            del site["caves"][cave.code]
            site["caves"].logger.info(f"{cave.code} - Cave removed")

    def updateEntry(self, obj, row, site, filename):
        items_changed = super().updateEntry(obj, row, site, filename)
        if row.get("guide", IGNORE_MARKER) != IGNORE_MARKER:
            obj.guide = row["guide"]
            items_changed += f", guide={row['guide']}"
        site["caves"].logger.info(
            f"{self.name} - {filename} - {row['code']} - updated: {items_changed}"
        )
        return items_changed

    def writeFailedRow(self, writer, row, warnings):
        return super().writeFailedRow(writer, row, warnings)

    def createLogfile(self, path, fail_path, num, warnings, mode, user, timedelta, logger=None):
        super().createLogfile(path, fail_path, num, warnings, mode, user, timedelta, logger)
        grok.getSite()["caves"].logger.info(f"{user}: {num} rows, {warnings} failed")
