"""Internal contracts of this room; the public one is `IFieldConverter`."""

from zope.interface import Interface


class IObjectConverter(Interface):
    """Converts the texts of a whole object; a schema is adapted to it (Kofa 1.9)."""

    def fromStringDict(data_dict, context, form_fields=None, mode="create"):
        """Return ``(errors, invariant_messages, values)`` for a dict of texts.

        `errors` are pairs of field and message; when anything is wrong, `values` is
        empty.  Names that are no fields are passed over.  `context` is the object
        that vocabularies are bound to, or the name of a factory: then the site is.
        `form_fields` limits the fields to those of its elements, by ``__name__``.
        """
