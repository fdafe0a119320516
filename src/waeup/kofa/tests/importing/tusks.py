"""A kind that says all there is to say, as the manual shows it."""

import grok
from zope import schema
from zope.interface import Interface

from waeup.kofa.conversion import OwnConverter
from waeup.kofa.importing.declaring import column, computed, filter_by, rule
from waeup.kofa.importing.filerules import Total
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.parts import Part
from waeup.kofa.importing.sources import KeysOf


class ITusk(Interface):
    """A tusk in the museum."""

    code = schema.TextLine(title="Code")
    title = schema.TextLine(title="Title", required=False)
    length = schema.Int(title="Length in cm", min=1)
    found = schema.Date(title="Found", required=False)
    sold = schema.Date(title="Sold", required=False)
    twin = schema.Choice(title="Twin", source=KeysOf("tusks", "Tusks"), required=False)


class IPlace(Interface):
    """Where it is kept."""

    room = schema.TextLine(title="Room", required=True)


class Metres(OwnConverter):
    """Centimetres, written in metres."""

    kind = "length in metres"
    examples = ("2.45 m",)

    def convert(self, text):
        return round(float(text.removesuffix("m")) * 100)

    def render(self, value):
        return f"{value / 100} m"


class Place(Part):
    """A row tells the place, too."""

    iface = IPlace
    prefix = "place_"
    container = "places"
    container_factory = grok.Container


class TuskProcessor(ContainerProcessor):
    """Imports tusks."""

    iface = ITusk
    container = "tusks"
    container_factory = grok.Container
    key = "code"
    about = "The tusks of the museum, and where they are kept."

    converters = {"length": Metres}
    parts = (Place(),)
    file_rules = (Total("length", most=100_000),)
    most_removed = 0

    @computed("title")
    def usual_title(self, row, site):
        return f"Tusk {row['code']}"

    @rule("found", "sold")
    def is_found_first(self, row, site):
        if row["sold"] < row["found"]:
            return "It was sold before it was found."
        return None

    @column(title="Metres")
    def metres(self, obj):
        return obj.length / 100

    @filter_by(schema.Int(title="Longer than"))
    def longer(self, obj, wanted):
        return obj.length > (wanted or 0)

    def checkNumbers(self, numbers, site):
        if numbers.created > 1000:
            return f"{numbers.created} new tusks? Confirm the number."
        return None
