"""Values as plain JSON, which programs in any language understand, by their annotations.

Nothing in a text says what it is: the annotation of an argument, of a field, or of what an
operation returns does.  Data classes and named tuples are objects with a member for each field,
tuples and lists are arrays, mappings are objects, times are RFC 3339 in UTC, days ``2026-01-31``,
bytes base64.  Both ends use this: the portal writes what an operation returns, and ``kofactl``
reads it with the same annotation.  What comes in is checked to the last member, and every
annotation has a JSON Schema that says the same.

What came in goes through `texts` (bytes to plain JSON), then `annotations`, which finds the
codec of an annotation by the `hints` of what has it.  What a codec does say `codecs`; there are
`scalars`, `containers`, and `objects`, some of them of classes that have to be `shown`.  On the
way `reading` collects what is wrong, and `schemas` the descriptions of classes.  Nothing here
loads the portal, unless a value of it is asked for.
"""

from waeup.kofa.api.plain.annotations import codec, dump, is_object, load, schema
from waeup.kofa.api.plain.codecs import Bound, Codec
from waeup.kofa.api.plain.containers import Array, OneOf
from waeup.kofa.api.plain.hints import hints_of
from waeup.kofa.api.plain.reading import MOST_WRONG, NotPlain, Reading, Wrong, pointer_to
from waeup.kofa.api.plain.scalars import MOST, MOST_CHARACTERS, Boolean, Integer, Number
from waeup.kofa.api.plain.schemas import Parts, about
from waeup.kofa.api.plain.texts import from_text, to_text

__all__ = [
    "MOST",
    "MOST_CHARACTERS",
    "MOST_WRONG",
    "Array",
    "Boolean",
    "Bound",
    "Codec",
    "Integer",
    "NotPlain",
    "Number",
    "OneOf",
    "Parts",
    "Reading",
    "Wrong",
    "about",
    "codec",
    "dump",
    "from_text",
    "hints_of",
    "is_object",
    "load",
    "pointer_to",
    "schema",
    "to_text",
]
