"""What goes wrong as problems that programs understand (RFC 9457), and back again.

Each class of `waeup.kofa.errors` has one code; what the door itself refuses has others.  A problem
has the members ``type``, an address that explains the code, ``title``, ``status`` and ``detail``,
further ``code``, and the attributes of the error, such as the numbers to confirm.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from waeup.kofa.api import plain
from waeup.kofa.api.route import ROOT
from waeup.kofa.errors import Fault, KofaError, NotUnderstood
from waeup.kofa.i18n import english, without_folders

#: The media type of a problem.
MEDIA_TYPE = "application/problem+json"
#: Members of every problem; an attribute of an error is never called so.
OWN_MEMBERS = ("type", "title", "status", "detail", "instance", "code")
#: Seconds after which another try is worth it.
RETRY = 5


@dataclass(frozen=True)
class Problem:
    """A kind of problem: its `code`, the HTTP `status`, a `title`, and what can be done.

    `retry` are the seconds after which a client may try again, None where that is of no use.
    """

    code: str
    status: int
    title: str
    advice: str
    retry: int | None = None


_BUSY = "Try again in a moment; send the same Idempotency-Key again, if you have sent one."

#: Name of a class of errors -> its problem.  A class without one counts as the next of its bases.
CODES: dict[str, Problem] = {
    "Refused": Problem(
        "refused",
        422,
        "The request cannot be carried out as it was put",
        "Nothing was changed. Correct what the detail says.",
    ),
    "NotPlain": Problem(
        "invalid-input",
        400,
        "What was sent is not as it should be",
        "The member `errors` has a JSON pointer for each place, and says what is wrong there.",
    ),
    "InvalidName": Problem(
        "invalid-name",
        422,
        "That is not the name of an item",
        "Names of items have no separators, and no dot in front.",
    ),
    "NoSuchItem": Problem(
        "no-such-item",
        404,
        "There is no item of that name",
        "List the items; it may have been removed meanwhile.",
    ),
    "NameTaken": Problem(
        "name-taken", 409, "The name is in use", "Choose another name, or replace what has it."
    ),
    "ItemBusy": Problem(
        "item-busy", 409, "Somebody else works on the item at this moment", _BUSY, RETRY
    ),
    "WrongState": Problem(
        "wrong-state",
        409,
        "The item is in no state for this",
        "Look at the state of the run, or of the run that holds the file.",
    ),
    "Outdated": Problem(
        "outdated",
        409,
        "Somebody has changed it meanwhile",
        "Get it again, and repeat your change with its `version` if it is still right.",
    ),
    "UnderMaintenance": Problem(
        "under-maintenance",
        503,
        "The portal is closed for a while",
        "Nothing was changed. Try again later.",
        60,
    ),
    "WrongOffset": Problem(
        "wrong-offset",
        409,
        "The upload does not go on there",
        "Ask by HEAD how many bytes have come, and go on at that one.",
    ),
    "WrongChecksum": Problem(
        "wrong-checksum",
        460,
        "The bytes were damaged on their way",
        "Nothing of them was kept. Send them again.",
    ),
    "ConfirmationNeeded": Problem(
        "confirmation-needed",
        409,
        "More objects would be removed or changed than goes without saying",
        "Nothing was changed. If that is what you want, repeat the request with the numbers of "
        "`removed` and `changed` as `yes_remove` and `yes_change`.",
    ),
    "TooLarge": Problem(
        "too-large",
        413,
        "That exceeds a limit of the portal",
        "Split it, or have the limit raised.",
    ),
    "InvalidSettings": Problem(
        "invalid-settings",
        422,
        "These values are not possible",
        "Nothing was changed. The member `wrong` says of each value what is wrong with it.",
    ),
    "InvalidStoragePath": Problem(
        "invalid-storage-path",
        422,
        "The storage cannot be there",
        "Name an existing folder that the portal may write to, below its storage roots.",
    ),
    "InvalidExpression": Problem(
        "invalid-expression",
        422,
        "The search expression cannot be understood",
        "The member `explanation` says what is wrong at which place. The syntax is that of RE2.",
    ),
    "TableError": Problem(
        "unreadable-table",
        422,
        "The file cannot be read as a table",
        "Correct the file as the detail says.",
    ),
    "EmptyTable": Problem(
        "empty-table", 422, "There is no table in the file", "Write a header into the file."
    ),
    "UnclearTable": Problem(
        "unclear-table",
        422,
        "It is not clear how the table is to be read",
        "Say it by `encoding`, `delimiter`, `quote`, `header_line` or `sheet`.",
    ),
    "NotAllowed": Problem(
        "not-allowed",
        403,
        "A right or a scope is missing",
        "The detail names it. A token allows what its account may do, within its scopes.",
    ),
    "DatabaseHeld": Problem(
        "database-held", 503, "Another process holds the database", _BUSY, RETRY
    ),
    "FatalCSVError": Problem(
        "unfitting-table",
        422,
        "The file does not fit the kind of objects, or the mode",
        "Choose another kind or mode, or correct the header of the file.",
    ),
    "FileRefused": Problem(
        "refused-file",
        422,
        "The file breaks rules for files of its kind",
        "The member `reasons` says which, and names rows. Correct the file.",
    ),
    "MappingError": Problem(
        "unfitting-mapping",
        422,
        "Columns and fields cannot be brought together",
        "Correct the mapping as the detail says.",
    ),
    "ConversionError": Problem(
        "unfitting-value", 422, "A text is no value of its field", "Correct the text."
    ),
    "DuplicationError": Problem(
        "duplicate", 409, "Something with the same identity exists elsewhere", "Look for it."
    ),
    "KofaError": Problem("error", 500, "The portal failed", "Tell the administrator."),
    "Fault": Problem(
        "fault",
        500,
        "The portal failed",
        "It was not your fault. Try again in a moment; if it happens again, tell the "
        "administrator the `reference`, by which the entry of the log is found.",
    ),
    "StorageFault": Problem(
        "storage-fault",
        500,
        "A file operation failed",
        "Look at the disk of the server, and at its rights.",
    ),
    "CodeFault": Problem(
        "code-fault",
        500,
        "Code of the site failed",
        "Tell its developer the `reference`, by which the entry of the log is found.",
    ),
    "PortalGone": Problem(
        "portal-gone", 503, "The portal ended before it answered", "Look at what was done.", RETRY
    ),
    "NotUnderstood": Problem(
        "not-understood",
        500,
        "Two programs do not understand each other",
        "Both sides should be of the same release.",
    ),
}

#: What the door itself refuses, by code.
DOOR: dict[str, Problem] = {
    problem.code: problem
    for problem in (
        Problem(
            "bad-request",
            400,
            "The request is damaged",
            "Correct the address, the query or the header that the detail names.",
        ),
        Problem(
            "no-token",
            401,
            "There is no valid token",
            "Send `Authorization: Bearer kofa_...` with a token that is neither revoked nor "
            "expired, of an account that is not suspended. People make tokens on the page of "
            "their account.",
        ),
        Problem(
            "no-such-address",
            404,
            "There is nothing at this address",
            "See the list of addresses.",
        ),
        Problem(
            "method-not-allowed",
            405,
            "The address has no such method",
            "The header `Allow` names those that it has.",
        ),
        Problem(
            "unsupported-media-type",
            415,
            "The body has a media type that is not expected",
            "Send JSON as `application/json`, and files as `application/octet-stream`.",
        ),
        Problem(
            "range-not-satisfiable",
            416,
            "The file has no such part",
            "The header `Content-Range` has its size.",
        ),
        Problem(
            "key-reused",
            422,
            "The idempotency key was sent with another request",
            "Use a new key for each request; repeat a request with its key only as it was.",
        ),
        Problem(
            "answer-not-kept",
            409,
            "The request was carried out before, and its answer was not kept",
            "Ask for what it has made.",
        ),
        Problem(
            "too-many-requests",
            429,
            "There were too many requests",
            "Wait for the seconds of the header `Retry-After`.",
        ),
        Problem(
            "wrong-protocol",
            412,
            "Another version of the protocol is spoken here",
            "The header `Tus-Version` of the answer names it.",
        ),
        Problem(
            "upload-locked",
            423,
            "Another request works on the upload, others unpack workbooks, or all are too large",
            "Try again in a moment; ask by HEAD first how many bytes have come.",
            RETRY,
        ),
        Problem("too-many-streams", 503, "There are too many streams or exports", _BUSY, RETRY),
        Problem("too-many-files", 503, "Too many large files are coming", _BUSY, RETRY),
        Problem("too-slow", 408, "The body came too slowly, while others waited", _BUSY, RETRY),
        Problem("database-away", 503, "The database is away", _BUSY, RETRY),
    )
}

#: Classes that are no errors of `waeup.kofa.errors` -> where they are.
_ELSEWHERE = {
    "EmptyTable": "waeup.kofa.tabular.problems",
    "UnclearTable": "waeup.kofa.tabular.problems",
    "NotPlain": "waeup.kofa.api.plain",
}


class Refusal(Exception):
    """What the door itself refuses: a problem, what it is about, and headers of the answer."""

    def __init__(
        self, code: str, detail: str, headers: Iterable[tuple[str, str]] = (), **more: Any
    ) -> None:
        super().__init__(detail)
        self.problem = DOOR[code]
        self.detail = detail
        self.headers = tuple(headers)
        self.more = more


@cache
def all_problems() -> Mapping[str, Problem]:
    """Return all kinds of problems by code."""
    return {problem.code: problem for problem in (*CODES.values(), *DOOR.values())}


def address_of(code: str) -> str:
    """Return the path of the address that explains a code."""
    return f"{ROOT}/problems/{code}"


def problem_of(error: BaseException) -> Problem:
    """Return the kind of problem of an error; one that is none of ours is a fault."""
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((CODES[name] for name in names if name in CODES), CODES["Fault"])


def body_of(error: BaseException, *, base: str = "", reference: str = "") -> dict[str, Any]:
    """Return an error as the members of a problem.

    `base` is the address of the server, for absolute addresses; `reference` names the entry of
    the log that has the traceback.  Of what is no error of ours nothing is said but that, and
    a fault of the server names no folder.
    """
    if isinstance(error, Refusal):
        return _body(error.problem, error.detail, base, error.more)
    if not isinstance(error, KofaError):
        detail = "The portal failed. What was not finished was taken back."
        return _body(CODES["Fault"], detail, base, {"reference": reference})
    # `str` of some errors is the repr of what they say.
    said = error.args[0] if len(error.args) == 1 else str(error)
    # What is wrong with the server names its folders; the log has them, by the reference.
    text = without_folders(said) if isinstance(error, Fault) else english(said)
    more = {}
    for name, value in vars(error).items():
        # Objects, such as those of duplicates, stay here.
        with suppress(TypeError, ValueError, AttributeError):
            more[name] = _shown(value)
    if reference:
        more["reference"] = reference
    return _body(problem_of(error), text, base, more)


def error_of(body: Any) -> KofaError:
    """Return the error that a problem tells of, with its attributes, for who has asked."""
    members = body if isinstance(body, dict) else {}
    code, text = members.get("code"), members.get("detail")
    name = next((name for name, each in CODES.items() if each.code == code), None)
    if not isinstance(text, str):
        return NotUnderstood("What the portal answered is no problem as this release knows it.")
    if name is None:
        return _of_door(str(code), text)
    kind: Any = getattr(import_module(_ELSEWHERE.get(name, "waeup.kofa.errors")), name)
    error: KofaError = kind(text)
    for attribute in vars(error).keys() & members.keys():
        setattr(error, attribute, _taken(getattr(error, attribute), members[attribute]))
    return error


def _taken(known: Any, value: Any) -> Any:
    """Return an attribute of an error from JSON; `known` is what a new error has."""
    if not isinstance(known, tuple):
        return value
    items = value if isinstance(value, list) else []
    return tuple(
        plain.Wrong(*(str(item.get(each, "")) for each in plain.Wrong._fields))
        if isinstance(item, dict)
        else str(item)
        for item in items
    )


def _of_door(code: str, text: str) -> KofaError:
    from waeup.kofa.errors import ItemBusy, NotAllowed, PortalGone, Refused

    kinds: dict[str, type[KofaError]] = {
        "no-token": NotAllowed,
        "too-many-requests": ItemBusy,
        "too-many-streams": ItemBusy,
        "too-many-files": ItemBusy,
        "too-slow": ItemBusy,
        "database-away": PortalGone,
    }
    return kinds.get(code, Refused if code in DOOR else Fault)(text)


def _body(problem: Problem, detail: str, base: str, more: Mapping[str, Any]) -> dict[str, Any]:
    own = {
        "type": base + address_of(problem.code),
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "code": problem.code,
    }
    return {**{name: value for name, value in more.items() if name not in OWN_MEMBERS}, **own}


def _shown(value: Any) -> Any:
    """Return an attribute of an error as plain JSON; raises `TypeError` for what is none."""
    if isinstance(value, plain.Wrong):
        return {name: text for name, text in value._asdict().items() if text or name == "detail"}
    if isinstance(value, dict):
        return {english(name): _shown(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(each) for each in value]
    return plain.dump(value, Any)
