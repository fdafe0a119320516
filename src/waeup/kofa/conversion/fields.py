"""Kinds of fields that zope.schema does not have.

Schemas of portals use them like any field; `waeup.kofa.conversion.converters`
knows how their cells are written.
"""

from typing import Any

from zope.schema import Date, Password, TextLine

from waeup.kofa.conversion.secret import ROUNDS


class PhoneNumber(TextLine):
    """A phone number, kept as text ``<country>-<area>-<number>``.

    For example ``+234-803-1234567``; parts that are not known are empty, as in
    ``--1234`` (Kofa 1.9).
    """


class FormattedDate(Date):
    """A date that people write in a form of their own.

    `date_format` is a format of `datetime.date.strftime`, for example
    ``%d/%m/%Y``; cells may use it besides ``YYYY-MM-DD``.
    """

    def __init__(self, date_format: str = "%Y-%m-%d", **kw: Any) -> None:
        self.date_format = date_format
        super().__init__(**kw)


class Secret(Password):
    """A password, kept as hash only.

    A cell holds the password or its hash; the value is the hash.  `rounds` is the
    work that a new hash costs (see `waeup.kofa.conversion.secret.hash_password`), and
    `min_length` is what the password itself must have; its hash is always longer.
    """

    def __init__(self, rounds: int = ROUNDS, **kw: Any) -> None:
        self.rounds = rounds
        super().__init__(**kw)
