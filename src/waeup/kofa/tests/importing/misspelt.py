"""Kinds with names that are nearly those of hooks, some of them for good reason."""

import grok
from zope import interface, schema

from waeup.kofa.exporting.kind import KindExporter
from waeup.kofa.importing.declaring import rule
from waeup.kofa.importing.kind import ContainerProcessor


class ILoan(interface.Interface):
    """A loan."""

    code = schema.TextLine(title="Code")


class LoanBase(ContainerProcessor):
    """Misspells what many kinds inherit."""

    grok.baseclass()

    file_rule = ()


class LoanProcessor(LoanBase):
    """Misspells a hook, and what it declares."""

    iface = ILoan
    container = "loans"
    key = "code"
    permision: str = "waeup.importData"

    def checkConversions(self, row, mode="ignore", ignore_empty=True):
        """Be asked by nobody but oneself."""
        return super().checkConversions(row, mode, ignore_empty)

    def get_entry(self, row, site):
        """Have the name of a hook in another manner."""


class IShelved(interface.Interface):
    """What a site asks its kinds for."""

    getEntrys = interface.Attribute("A method that returns all.")


@interface.implementer(IShelved)
class HonestProcessor(ContainerProcessor):
    """Has helpers."""

    iface = ILoan
    container = "honest"
    key = "code"
    keys = names = ()

    def getEntry(self, row, site):
        """See `IBatchProcessor`."""
        return super().getEntry(row, site) or next(iter(self.getParents(row, site)), None)

    def getParents(self, row, site):
        """Be called by a hook."""
        return [self.getParent(row, site)]

    def getEntrys(self):
        """See `IShelved`."""
        return []

    @rule("code")
    def checkNumber(self, row, site):
        """Be a rule."""

    def _get_parent(self):
        """Be nobody else's business."""

    def deleteEverything(self, site):
        """Be like no hook."""


class LoanExporter(KindExporter):
    """Misspells what an exporter has to have."""

    grok.name("loans")
    processor = "loanprocessor"
    key_field = ("code",)

    def object(self, site):
        """Be asked by nobody."""
        return ()
