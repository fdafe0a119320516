"""What can go wrong, in one place.

Each class says in its docstring what the caller should do.  Messages tell what
is wrong, where, what would be right and what to do.  They are texts of
`waeup.kofa.i18n`: ``str()`` of an error is English, pages say `message` in the
language of the person.  `Refused` and its children mean: bad input, nothing was changed.
`Fault` and its children mean: the machine failed, the work can be repeated.
Where a builtin has the same meaning, the class inherits from it too, so that
``except ValueError`` of older code keeps working.
"""

from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import english


class KofaError(Exception):
    """Base of all errors of this package; catch it only at a door."""

    @property
    def message(self) -> str:
        """What the error says, to be translated; '' for an error without words."""
        return self.args[0] if self.args else ""

    def __str__(self) -> str:
        return english(self.message) if len(self.args) < 2 else super().__str__()


class Refused(KofaError):
    """The request cannot be carried out as it was put; nothing was changed.

    Show the message to the person who asked.  Doors answer with a page that
    holds the message, or with exit code 2.
    """


class InvalidName(Refused, ValueError):
    """A name from outside is not the name of an item; ask for another one."""


class NoSuchItem(Refused, LookupError):
    """There is no item (file, log, processor, user) of that name; list the names."""


class NameTaken(Refused, ValueError):
    """Something of that name exists already; choose another name."""


class ItemBusy(Refused):
    """Somebody else works on the item at this moment; try again later."""


class WrongState(ItemBusy):
    """A run, or a file that a run holds, is in no state for this; look at the runs."""


class UnderMaintenance(Refused):
    """The portal is closed for a while, but for who has closed it; try again later."""


class ConfirmationNeeded(Refused):
    """More objects would be removed or changed than goes without saying; confirm the number.

    `removed` and `changed` are the numbers to confirm, 0 where none is needed.
    """

    def __init__(self, message: str, removed: int = 0, changed: int = 0) -> None:
        super().__init__(message)
        self.removed = removed
        self.changed = changed


class TooLarge(Refused, ValueError):
    """The content exceeds a configured limit; split it or raise the limit."""


class InvalidSettings(Refused, ValueError):
    """Values cannot be settings; correct them.

    `wrong` says of each, by name, what is wrong with it.
    """

    def __init__(self, message: str, wrong: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.wrong = wrong if wrong is not None else {}


class Outdated(ItemBusy):
    """Somebody has changed meanwhile what a change was made for; look at it, and repeat yours."""


class WrongOffset(Refused, ValueError):
    """A part of an upload is not the next one; go on at the byte `offset`."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message)
        self.offset = offset


class WrongChecksum(Refused, ValueError):
    """What has come is not what was sent: it was damaged on its way; send it again."""


class InvalidStoragePath(Refused, ValueError):
    """The path cannot serve as data center storage; name an existing, writable folder."""


class InvalidExpression(Refused, ValueError):
    """A search expression cannot be compiled; correct the expression.

    `explanation` is a message that says what is wrong at which place, or ''.
    """

    explanation: str = ""


class TableError(Refused, ValueError):
    """A file cannot be read as a table at all; correct the file as the message says."""


class NotAllowed(Refused, PermissionError):
    """The person lacks a permission; ask the administrator for the named role."""


class DatabaseHeld(Refused):
    """Another process holds the embedded database and takes no commands; wait for its end."""


class FatalCSVError(Refused):
    """A file or its header does not fit the chosen processor and mode.

    The name is that of Kofa 1.9, whose processors raise it too.
    """


class FileRefused(FatalCSVError):
    """A file breaks rules for files of its kind, each row of it may be good; correct the file.

    `reasons` say what is wrong, and name rows.
    """

    def __init__(self, message: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.reasons = reasons

    @classmethod
    def of(cls, name: str, reasons: tuple[str, ...]) -> "FileRefused":
        """Return the error for the file `name`."""
        text = _(
            "${name} cannot be imported: ${reasons} Nothing was stored. Correct the file.",
            mapping={"name": name, "reasons": " ".join(reasons)},
        )
        return cls(text, reasons)


class MappingError(FatalCSVError, ValueError):
    """Columns and fields cannot be brought together; correct the mapping."""


class ConversionError(KofaError, ValueError):
    """The text of a cell is no value of its field; the row goes to pending."""


class DuplicationError(KofaError):
    """An object with the same identity exists elsewhere; the row goes to pending.

    As in Kofa 1.9: `msg` is the message, `entries` are the objects found, and
    ``str()`` gives the repr of the message.
    """

    def __init__(self, msg: str, entries: list[object] | None = None) -> None:
        super().__init__(msg)
        self.msg = msg
        self.entries = entries if entries is not None else []

    def __str__(self) -> str:
        return repr(english(self.msg))


class Fault(KofaError):
    """The machine failed, not the input; what was begun can be repeated or resumed.

    Doors answer with exit code 3.  `reference` names the entry of a log that has the traceback,
    where it was logged already.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.reference = ""


class StorageFault(Fault, OSError):
    """A file operation failed although the input was good; look at disk and rights."""


class CodeFault(Fault):
    """Code of a site that the portal calls failed, or did what it must not do; tell its developer.

    Nothing is stored of what was under way.
    """


class PortalGone(Fault):
    """The portal ended before it answered; start it again, and look at what it has done."""


class NotUnderstood(Fault):
    """A message makes no sense to who gets it; both sides should be of the same release."""
