"""Mammoths, as a package of a site keeps them."""

from zope import interface, schema

from waeup.kofa.importing.kind import ContainerProcessor


class IMammoth(interface.Interface):
    """A mammoth."""

    name = schema.TextLine(title="Name")
    weight = schema.Int(title="Weight in kg", min=1, required=False)
    born = schema.Date(title="Born", required=False)
    shaggy = schema.Bool(title="Is shaggy", default=True)
    remark = schema.Text(title="Remark", required=False)


class MammothProcessor(ContainerProcessor):
    """Imports mammoths."""

    iface = IMammoth
    container = "mammoths"
    key = "name"

    def checkRemoveRequirements(self, obj, row, site):
        return "Too heavy to be removed." if (obj.weight or 0) > 6000 else None
