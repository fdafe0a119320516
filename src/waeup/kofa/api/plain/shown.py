"""Classes of the database that are sent, although they are no data classes.

They are imported only when one of them is asked for: who asks a portal elsewhere has no database.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from waeup.kofa.api.plain.hints import hints_of


class Shown(NamedTuple):
    """How a class is shown that is no data class.

    Its `fields` and their types, what makes a value of them, and how fields are read that are
    kept in another form.
    """

    fields: dict[str, Any]
    make: Callable[..., Any]
    read: Mapping[str, Callable[[Any], Any]] = {}


def _draft() -> Shown:
    from waeup.kofa.ledger import Draft
    from waeup.kofa.tabular.options import ReadOptions

    made = {"id": str, "filename": str, "digest": str, "owner": str, "date": datetime}
    hints = hints_of(Draft)
    changed = {
        name: hints[name]
        for name in (
            "processor",
            "mode",
            "columns",
            "constants",
            "values",
            "left_alone",
            "skip_unchanged",
            "check",
            "run",
        )
    }

    def make(reading: ReadOptions, **values: Any) -> Any:
        draft = Draft(**{name: values.pop(name) for name in made})
        draft.reading = reading.as_dict()
        for name, value in values.items():
            setattr(draft, name, value)
        return draft

    def reading_of(draft: Any) -> ReadOptions:
        return ReadOptions(**draft.reading)

    return Shown({**made, "reading": ReadOptions, **changed}, make, {"reading": reading_of})


#: Classes of the database that are shown -> where it says how; see `Shown`.
OTHERS: dict[str, Callable[[], Shown]] = {"waeup.kofa.ledger.Draft": _draft}
