"""Values as messages: what operations are given and return, and what they raise.

A message is JSON.  Plain values stand for themselves; everything else is an object with one
member, whose name says what it is::

    {"tuple": [1, 2]}    {"tabular.survey.Example": {"number": 1, ...}}    {"file": 0}

Only classes that are listed here are made again on the other side, and nothing else runs there.
A new value class needs a line in `VALUES`, a new error outside `waeup.kofa.errors` one in
`ERRORS`.
"""

import base64
import io
import json
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import date, datetime
from functools import cache
from importlib import import_module
from typing import Any, BinaryIO

from waeup.kofa import errors
from waeup.kofa.errors import Fault, KofaError, NotUnderstood
from waeup.kofa.i18n import english
from waeup.kofa.operations.values import FormerImport, StoredFile

#: Data classes and named tuples that are sent, by their modules below ``waeup.kofa``.  A module is
#: imported with the first value of it, for most messages hold few of them, and a command that a
#: running portal carries out shall not load all that the portal is made of.
VALUES = {
    "conversion.mapping": ("Mapping",),
    "conversion.saved": ("FittedMapping", "SavedMapping"),
    "exporting.wish": ("Wish",),
    "importing.checking": ("CheckedRow",),
    "importing.failing": ("ProblemGroup",),
    "importing.preview": ("Preview",),
    "importing.report": ("Report",),
    "jobs.recovery": ("Finding",),
    "journal.looking": ("FoundLine",),
    "letters": ("Written",),
    "maintenance": ("Maintenance",),
    "notices": ("MailQueue", "QueuedMessage"),
    "operations.figures": ("FigureSum", "Figures", "Period"),
    "operations.kinds": ("KindColumn", "KindInfo", "SourceInfo"),
    "operations.moving": ("FormerStorage", "StoragePlace"),
    "operations.packing": ("Packed",),
    "operations.settings": ("Forgotten", "LetterTexts", "Section", "Setting"),
    "operations.state": ("Backup", "Counted", "Process", "SystemState", "Workers"),
    "operations.uploads": ("UploadState",),
    "operations.values": (
        "CellInfo",
        "ChoiceColumn",
        "CorrectedText",
        "DoneRow",
        "DoneRows",
        "ExporterInfo",
        "FailingRow",
        "FieldInfo",
        "FilterInfo",
        "ForeignText",
        "FormerImport",
        "HistoryEntry",
        "HistoryKind",
        "LikeCell",
        "LogInfo",
        "LogPage",
        "NewToken",
        "ObjectHistory",
        "ProcessorInfo",
        "ProposedColumn",
        "RoleInfo",
        "RowVerdict",
        "RunInfo",
        "StoredFile",
        "TokenInfo",
        "UserInfo",
        "ValueChange",
    ),
    "spool.intake": ("Upload",),
    "spool.sizes": ("FolderSize",),
    "tabular.options": ("ReadOptions",),
    "tabular.survey": ("Example", "Finding"),
    "webhooks.record": ("DeliveryInfo", "WebhookInfo", "WebhookSecret"),
}
#: Errors that are raised again as what they are, by module; another one arrives as the next of its
#: bases.
ERRORS = {
    "errors": tuple(
        name
        for name, item in vars(errors).items()
        if isinstance(item, type) and issubclass(item, KofaError)
    ),
    "tabular.problems": ("EmptyTable", "UnclearTable"),
}


def _uncounted() -> int | None:
    raise Fault(
        "The running portal does not count the lines of files for others. `kofactl ls --lines` "
        "reads the files themselves."
    )


def _unsought() -> FormerImport | None:
    raise Fault(
        "The running portal does not say of listed files whether they were imported before. Ask "
        "it for a single content (`imported_before`)."
    )


#: What takes the place of a field that is not sent.
NOT_SENT: dict[type, dict[str, Any]] = {StoredFile: {"counted": _uncounted, "sought": _unsought}}

# There are several values of some names, thus those of their modules belong to them.
_VALUES = {f"{module}.{name}" for module, names in VALUES.items() for name in names}
_ERRORS = {name: f"{module}.{name}" for module, names in ERRORS.items() for name in names}


def encode(value: Any, files: list[BinaryIO] | None = None) -> bytes:
    """Return a value as a message.

    Open files are appended to `files`; their place there is what the message says.  Raises
    `TypeError` for what cannot be sent.
    """
    text = json.dumps(_plain(value, files), ensure_ascii=False, separators=(",", ":"))
    # Names of files may hold bytes that are no characters.
    return text.encode("utf-8", "surrogatepass")


def decode(message: bytes, files: Sequence[BinaryIO] = ()) -> Any:
    """Return the value of a message; `files` are those that came with it.

    Raises `NotUnderstood` for what no `encode` has made, and what a class raises that is not
    content with its values.
    """
    try:
        return _value(json.loads(message.decode("utf-8", "surrogatepass")), files)
    except KofaError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise NotUnderstood(_misunderstanding(error))


def encode_answer(value: Any) -> bytes:
    """Return what an operation has returned as a message."""
    return encode({"value": value})


def encode_error(error: Exception, reference: str = "") -> bytes:
    """Return an error as a message: its class, what it says, and its attributes.

    `reference` names the entry of the portal's log that has the traceback.
    """
    names = (_dotted(kind) for kind in type(error).__mro__)
    name = next((name.rpartition(".")[2] for name in names if name in _ERRORS.values()), None)
    if name is None:
        reason = str(error).partition("\n")[0] or "no further words"
        text = (
            f"{type(error).__name__}: {reason}. What was not finished was taken back; the "
            "traceback is in the portal's log, portal.log."
        )
        return encode({"error": Fault.__name__, "text": text, "more": {"reference": reference}})
    # `str` of some errors is the repr of what they say.
    text = english(error.args[0]) if len(error.args) == 1 else str(error)
    more = {}
    for attribute, value in vars(error).items():
        # What cannot be sent, such as objects, stays here.
        with suppress(TypeError):
            encode(value)
            more[attribute] = value
    if reference:
        more["reference"] = reference
    return encode({"error": name, "text": text, "more": more})


def answer_of(message: bytes) -> Any:
    """Return the value of an answer, or raise its error."""
    answer = decode(message)
    try:
        if "value" in answer:
            return answer["value"]
        error = _class(_ERRORS[answer["error"]])(answer["text"])
        for attribute in vars(error).keys() & answer["more"].keys():
            setattr(error, attribute, answer["more"][attribute])
    except (LookupError, TypeError, AttributeError) as reason:
        raise NotUnderstood(_misunderstanding(reason))
    raise error


def _misunderstanding(error: Exception) -> str:
    return (
        f"kofactl and the running portal do not understand each other ({type(error).__name__}: "
        f"{str(error)[:200]}). They may be of different releases: start the portal anew and "
        "repeat the command."
    )


def _plain(value: Any, files: list[BinaryIO] | None) -> Any:
    """Return a value as JSON knows it."""
    kind = type(value)
    if value is None or kind in (bool, int):
        return value
    if isinstance(value, str):
        return english(value)
    if kind is float:
        # JSON has no word for these.
        return value if math.isfinite(value) else {"float": repr(value)}
    if kind in _OTHERS:
        return {kind.__name__: _OTHERS[kind](value, files)}
    if (name := _dotted(kind)) in _VALUES:
        return {name: {n: _plain(getattr(value, n), files) for n in _sent(kind)}}
    if files is not None and isinstance(value, io.BufferedReader):
        files.append(value)
        return {"file": len(files) - 1}
    if kind is list:
        return [_plain(item, files) for item in value]
    raise TypeError(f"a value of the class {kind.__name__} cannot be sent")


_OTHERS: dict[type, Callable[[Any, list[BinaryIO] | None], Any]] = {
    tuple: lambda value, files: [_plain(item, files) for item in value],
    dict: lambda value, files: [
        [_plain(key, files), _plain(item, files)] for key, item in value.items()
    ],
    datetime: lambda value, files: value.isoformat(),
    date: lambda value, files: value.isoformat(),
    bytes: lambda value, files: base64.b64encode(value).decode("ascii"),
}


def _value(plain: Any, files: Sequence[BinaryIO]) -> Any:
    """Return the value that `_plain` has made this of."""
    if isinstance(plain, list):
        return [_value(item, files) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((name, content),) = plain.items()
    if name in _VALUES:
        kind = _class(name)
        if content.keys() != set(_sent(kind)):
            raise ValueError(f"{name} has other fields")
        values = {field: _value(item, files) for field, item in content.items()}
        return kind(**values, **NOT_SENT.get(kind, {}))
    return _MAKERS[name](content, files)


_MAKERS: dict[str, Callable[[Any, Sequence[BinaryIO]], Any]] = {
    "tuple": lambda content, files: tuple(_value(item, files) for item in content),
    "dict": lambda content, files: {
        _value(key, files): _value(item, files) for key, item in content
    },
    "datetime": lambda content, files: datetime.fromisoformat(content),
    "date": lambda content, files: date.fromisoformat(content),
    "bytes": lambda content, files: base64.b64decode(content, validate=True),
    "float": lambda content, files: float(content),
    "file": lambda content, files: files[content],
}


def _dotted(kind: type) -> str:
    """Return what a class is called below ``waeup.kofa``."""
    return f"{kind.__module__.removeprefix('waeup.kofa.')}.{kind.__qualname__}"


@cache
def _class(name: str) -> Any:
    """Return the class that is called so below ``waeup.kofa``; call it with listed names only."""
    module, _dot, own = name.rpartition(".")
    return getattr(import_module(f"waeup.kofa.{module}"), own)


def _sent(kind: Any) -> list[str]:
    """Return the names of the fields of a class that are sent."""
    names: Sequence[str] = getattr(kind, "_fields", ())
    if not issubclass(kind, tuple):
        names = [field.name for field in fields(kind)]
    return [name for name in names if name not in NOT_SENT.get(kind, {})]
