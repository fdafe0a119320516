"""Examples of the description of the HTTP API; a test holds them to the schemas."""

from typing import Any

_FILE = {
    "name": "faculties_bola.csv",
    "folder": "",
    "size": 4711,
    "date": "2026-01-31T10:00:00Z",
    "owner": "bola",
    "run": None,
    "original": "",
    "deleted": None,
    "deleted_by": "",
    "expires": None,
    "needed": False,
}
_MAPPING = {"columns": ["code", "title", None], "constants": [], "values": []}
_ORDER = {
    "name": "faculties_bola.csv",
    "processor": "facultyprocessor",
    "mode": "create",
    "mapping": {"columns": ["code", "title", None]},
}

#: Operation -> examples of its ``request`` and its ``response``.
EXAMPLES: dict[str, dict[str, Any]] = {
    "pending_files": {"response": [_FILE]},
    "upload_limit": {"response": 209715200},
    "upload": {
        "response": {
            "name": "faculties_bola.csv",
            "size": 4711,
            "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "original": "faculties.csv",
            "notice": "",
        }
    },
    "propose_mapping": {"response": _MAPPING},
    "make_mapping": {
        "request": {
            "processor": "facultyprocessor",
            "mode": "create",
            "assign": {"Faculty": "title"},
            "ignore_rest": True,
        },
        "response": _MAPPING,
    },
    "start_check": {"request": _ORDER},
    "start_import": {"request": {**_ORDER, "check": "0123456789abcdef", "yes_remove": 0}},
    "start_export": {
        "request": {"exporter": "students", "filters": [["session", "2026"]], "format": "xlsx"}
    },
    "export": {"request": {"exporter": "faculties"}},
    "add_user": {
        "request": {
            "name": "bola",
            "title": "Bola Ade",
            "password": "four words that nobody guesses",
            "roles": ["waeup.ImportManager"],
            "email": "bola@example.org",
        }
    },
    "change_user": {"request": {"values": {"email": "bola@example.org"}, "version": "5e1f"}},
    "change_settings": {"request": {"values": {"finished_days": 365}}},
    "start_maintenance": {"request": {"text": "Back at noon."}},
}
