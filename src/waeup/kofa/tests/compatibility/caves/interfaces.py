"""What a cave is."""

from zope import schema
from zope.interface import Attribute

from waeup.kofa.interfaces import IKofaObject


class ICavesContainer(IKofaObject):
    """Contains caves."""

    logger_name = Attribute("Name of the logger.")

    def addCave(cave):
        """Add a cave under its code."""


class ICave(IKofaObject):
    """A cave."""

    code = schema.TextLine(title="Code", required=True)
    title = schema.TextLine(title="Title", required=True, default="Unnamed")
    depth = schema.Int(title="Depth", required=False, min=0)
    explored = schema.Date(title="Explored on", required=False)
    wet = schema.Bool(title="Is wet", required=False, default=False)
    animals = schema.List(
        title="Animals", value_type=schema.TextLine(), required=False, default=[]
    )
