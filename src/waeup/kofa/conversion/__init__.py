"""Text of cells to values of schema fields, and back; columns to fields.

Stands between ``tabular``, which makes text of bytes, and the processors, which
make objects of values:

* `Mapping` says which column fills which field; `propose` knows it by the names of columns, and
  `guess_columns` proposes more, which a person has to see first.  A `SavedMapping` has a name.
* `plan_fields` compiles a schema: one `FieldPlan` for each field, with `convert`
  for imports and `render` for exports.
* `converter_for` finds the converter of a field.  A site adds its own by an adapter
  from the field's interface to `waeup.kofa.interfaces.IFieldConverter`, for all kinds, or in
  `converters` of a processor, for one; `OwnConverter` is the base of both.
* `explain` says in plain words what a field is and takes.
* `PhoneNumber`, `FormattedDate` and `Secret` are fields that zope.schema lacks.

No text of a cell is ever evaluated.
"""

from waeup.kofa.conversion.cells import (
    IGNORED,
    VerbatimText,
    guard,
    is_active,
    is_ignored,
    unguard,
)
from waeup.kofa.conversion.choices import ChoiceConverter
from waeup.kofa.conversion.converters import OwnConverter, converter_for, is_secret
from waeup.kofa.conversion.dates import DateConverter, DatetimeConverter
from waeup.kofa.conversion.explaining import Explanation, allowed_values, explain
from waeup.kofa.conversion.fields import FormattedDate, PhoneNumber, Secret
from waeup.kofa.conversion.guessing import Guess, TokenGuesser, guess_columns
from waeup.kofa.conversion.mapping import Mapping, Values, is_ignored_column, propose
from waeup.kofa.conversion.plan import (
    FieldPlan,
    ValueRequired,
    from_cell,
    plan_fields,
    to_cell,
)
from waeup.kofa.conversion.rendering import render_value
from waeup.kofa.conversion.saved import FittedMapping, SavedMapping
from waeup.kofa.conversion.sequences import SequenceConverter, parse_list

__all__ = [
    "IGNORED",
    "ChoiceConverter",
    "DateConverter",
    "DatetimeConverter",
    "Explanation",
    "FieldPlan",
    "FittedMapping",
    "FormattedDate",
    "Guess",
    "Mapping",
    "OwnConverter",
    "PhoneNumber",
    "SavedMapping",
    "Secret",
    "SequenceConverter",
    "TokenGuesser",
    "ValueRequired",
    "Values",
    "VerbatimText",
    "allowed_values",
    "converter_for",
    "explain",
    "from_cell",
    "guard",
    "guess_columns",
    "is_active",
    "is_ignored",
    "is_ignored_column",
    "is_secret",
    "parse_list",
    "plan_fields",
    "propose",
    "render_value",
    "to_cell",
    "unguard",
]
