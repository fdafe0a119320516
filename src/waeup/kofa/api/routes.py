"""The addresses of the HTTP API: one table, which both ends of it use.

The portal finds the operation that a request asks for, the remote ``kofactl`` the request that
an operation needs, and the description (`waeup.kofa.api.openapi`) all of them.  Each operation has
one route, or stands in `UNROUTED` with the reason why it has none.
"""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from waeup.kofa.api.plain import Bound
from waeup.kofa.api.route import MOST_ENTRIES, Adapted, Route
from waeup.kofa.rights import EXPORT_DATA as EXPORT
from waeup.kofa.rights import IMPORT_DATA as IMPORT
from waeup.kofa.rights import MANAGE_DATA_CENTER as MANAGE_FILES
from waeup.kofa.rights import MANAGE_PORTAL, MANAGE_USERS

if TYPE_CHECKING:
    from waeup.kofa.tabular.options import ReadOptions


class DraftChanges(TypedDict, total=False):
    """What can be changed of a draft; see `Draft`."""

    reading: "ReadOptions"
    processor: str | None
    mode: str | None
    columns: tuple[str | None, ...] | None
    constants: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    left_alone: tuple[tuple[str, str], ...]
    skip_unchanged: bool
    check: str | None
    run: str | None


class AccountValues(TypedDict, total=False):
    """What an administrator changes of an account."""

    title: str
    public_name: str | None
    email: str | None
    phone: str | None
    description: str | None
    language: str | None


class OwnValues(TypedDict, total=False):
    """What people change of their own account."""

    public_name: str | None
    email: str | None
    phone: str | None
    language: str | None


def _read_options(known: dict[str, Any]) -> "ReadOptions":
    from waeup.kofa.tabular.options import ReadOptions

    return ReadOptions(**known)


class LogOptions(TypedDict, total=False):
    """What lines of logs are looked for; see `look_through_logs`."""

    ignore_case: bool
    officer: str
    contains: str
    level: str
    since: str
    until: str
    newest: bool
    place: str


_GET, _POST, _PUT, _PATCH, _DELETE = "GET", "POST", "PUT", "PATCH", "DELETE"
_ACCOUNT, _USERS, _FILES, _FOLDERS = "Account", "Users", "Files", "Folders"
_DRAFTS, _RUNS, _CHECKS, _EXPORTS = "Drafts", "Runs", "Checks", "Exports"
_KINDS, _MAPPINGS, _LOGS, _FIGURES = "Kinds", "Mappings", "Logs", "Figures"
_HISTORY, _SETTINGS, _MAIL, _STORAGE = "History", "Settings", "Mail", "Storage"
_SYSTEM, _WEBHOOKS = "System", "Webhooks"
#: Runs need one of these: exports the last one.  Others need the permission of their kind of
#: objects as well, which is what a token for imports covers.
_OF_RUNS, _RUNS_SCOPE = (MANAGE_FILES, EXPORT), (IMPORT, EXPORT)
#: Who has one of these may let messages be sent to programs.
_TOLD = (IMPORT, EXPORT, MANAGE_PORTAL)
_UPLOADS = "Uploads"

#: What each group of addresses is about.
TAGS = {
    _ACCOUNT: "The account that a token belongs to.",
    _FILES: "Files that wait for an import: they come in, are looked at, and go.",
    _UPLOADS: "Files that come in pieces, by the protocol tus 1.0.0: a broken line does no harm.",
    _FOLDERS: "Files that were imported, left aside or deleted.",
    _DRAFTS: "Imports that are being prepared, with corrections of rows.",
    _RUNS: "Imports, checks, exports and what else works in the background.",
    _CHECKS: "What a check has found, row by row.",
    _EXPORTS: "Objects as tables.",
    _KINDS: "Kinds of objects: their columns, the values that are allowed, empty tables.",
    _MAPPINGS: "Which column fills which field, and mappings that are kept under a name.",
    _WEBHOOKS: "Messages to other programs about what happens here. They go on when the token has "
    "ended: so it has to allow all that its account may.",
    _HISTORY: "What was done to single objects.",
    _LOGS: "Lines of the logs.",
    _FIGURES: "What has become of runs over time.",
    _USERS: "Accounts and roles.",
    _SETTINGS: "Settings of the portal, and the texts of its messages.",
    _MAIL: "Messages that wait to be sent.",
    _STORAGE: "The folder that files are kept in.",
    "About": "What everybody may read of the API.",
    _SYSTEM: "How the portal is, and its upkeep.",
}

ROUTES: tuple[Route, ...] = (
    # -- the account of the token -----------------------------------------------------
    Route(_GET, "/account", "own_account", _ACCOUNT, None, scope=MANAGE_USERS),
    Route(
        _PATCH,
        "/account",
        "change_own_account",
        _ACCOUNT,
        None,
        typed={"values": OwnValues},
        scope=MANAGE_USERS,
    ),
    Route(_GET, "/account/roles", "own_roles", _ACCOUNT, None, scope=MANAGE_USERS),
    Route(_GET, "/account/permissions/{permission}", "may", _ACCOUNT, None),
    Route(_GET, "/tokens", "tokens", _ACCOUNT, None, key="id", scope=MANAGE_USERS),
    Route(_GET, "/tokens/this", "this_token", _ACCOUNT, None),
    Route(_GET, "/tokens/longest", "longest_token", _ACCOUNT, None),
    # -- pending files ----------------------------------------------------------------
    Route(
        _GET,
        "/files",
        "pending_files",
        _FILES,
        MANAGE_FILES,
        typed={"sort": Literal["name", "date"]},
        key="name",
    ),
    Route(
        _POST,
        "/files",
        "upload",
        _FILES,
        MANAGE_FILES,
        status=201,
        sent="stream",
        location="/files/{name}/content",
    ),
    Route(_DELETE, "/files", "delete", _FILES, MANAGE_FILES),
    Route(_GET, "/files/limit", "upload_limit", _FILES, None),
    Route(_GET, "/files/runs", "runs_of", _FILES, MANAGE_FILES),
    Route(_GET, "/files/{name}/content", "open_file", _FILES, MANAGE_FILES, gives_file=True),
    Route(_GET, "/files/{name}/preview", "preview", _FILES, MANAGE_FILES),
    Route(_GET, "/files/{name}/first-lines", "first_lines", _FILES, MANAGE_FILES),
    Route(_GET, "/files/{name}/run", "run_of", _FILES, MANAGE_FILES),
    Route(_GET, "/files/{name}/mapping", "propose_mapping", _MAPPINGS, MANAGE_FILES, scope=IMPORT),
    Route(
        _POST,
        "/files/{name}/mapping",
        "make_mapping",
        _MAPPINGS,
        MANAGE_FILES,
        reads=True,
        scope=IMPORT,
    ),
    Route(
        _POST,
        "/files/{name}/mapping/check",
        "check",
        _MAPPINGS,
        MANAGE_FILES,
        reads=True,
        status=204,
        scope=IMPORT,
    ),
    Route(_GET, "/uploads", "uploads", _UPLOADS, MANAGE_FILES, key="id"),
    Route(_GET, "/uploads/{id}", "upload_state", _UPLOADS, MANAGE_FILES),
    Route(_POST, "/uploads/{id}/file", "finish_upload", _UPLOADS, MANAGE_FILES),
    # DELETE is for clients of the protocol.
    Route(_POST, "/uploads/{id}/drop", "drop_upload", _UPLOADS, MANAGE_FILES),
    Route(_GET, "/contents/{digest}/former-import", "imported_before", _FILES, MANAGE_FILES),
    Route(_GET, "/deletions", "deletions_of", _FOLDERS, MANAGE_FILES),
    # -- other folders ----------------------------------------------------------------
    Route(_GET, "/folders", "folder_sizes", _FOLDERS, MANAGE_FILES),
    Route(_GET, "/folders/kept-days", "kept_days", _FOLDERS, MANAGE_FILES),
    Route(_GET, "/folders/is-there", "is_there", _FOLDERS, MANAGE_FILES),
    Route(_GET, "/folders/{folder}/files", "files_in", _FOLDERS, MANAGE_FILES, key="name"),
    Route(_DELETE, "/folders/{folder}/files", "purge", _FOLDERS, (IMPORT, MANAGE_PORTAL)),
    Route(
        _POST,
        "/folders/{folder}/files/{name}/restore",
        "restore",
        _FOLDERS,
        MANAGE_FILES,
        status=201,
        location="/files/{name}/content",
    ),
    # -- drafts -----------------------------------------------------------------------
    Route(
        _POST,
        "/drafts",
        "new_draft",
        _DRAFTS,
        MANAGE_FILES,
        status=201,
        location="/drafts/{id}",
    ),
    Route(_GET, "/drafts/processors", "prepared", _DRAFTS, MANAGE_FILES),
    Route(_GET, "/drafts/{id}", "draft", _DRAFTS, MANAGE_FILES),
    Route(
        _PATCH,
        "/drafts/{id}",
        "save_draft",
        _DRAFTS,
        MANAGE_FILES,
        typed={"changes": DraftChanges},
        adapted={"reading": Adapted(lambda options: options.as_dict(), _read_options)},
    ),
    Route(_DELETE, "/drafts/{id}", "drop_draft", _DRAFTS, MANAGE_FILES),
    Route(
        _POST,
        "/drafts/{id}/choice-values",
        "choice_values",
        _DRAFTS,
        MANAGE_FILES,
        reads=True,
        scope=IMPORT,
    ),
    Route(
        _GET, "/drafts/{draft}/rows/{number}", "failing_row", _DRAFTS, MANAGE_FILES, scope=IMPORT
    ),
    Route(_PATCH, "/drafts/{draft}/rows/{number}", "correct", _DRAFTS, MANAGE_FILES, scope=IMPORT),
    Route(
        _POST,
        "/drafts/{draft}/rows/{number}/check",
        "check_row",
        _DRAFTS,
        MANAGE_FILES,
        reads=True,
        scope=IMPORT,
    ),
    Route(_GET, "/drafts/{draft}/corrections", "corrections_of", _DRAFTS, MANAGE_FILES),
    Route(
        _POST, "/drafts/{draft}/corrections", "correct_like", _DRAFTS, MANAGE_FILES, scope=IMPORT
    ),
    Route(_DELETE, "/drafts/{draft}/corrections", "uncorrect", _DRAFTS, MANAGE_FILES),
    Route(_GET, "/drafts/{draft}/left-corrections", "left_corrections", _DRAFTS, MANAGE_FILES),
    Route(
        _GET,
        "/drafts/{draft}/corrected-table",
        "corrected_table",
        _DRAFTS,
        MANAGE_FILES,
        gives_file=True,
        scope=IMPORT,
    ),
    Route(_GET, "/drafts/{draft}/corrected-since-check", "corrected_since", _DRAFTS, MANAGE_FILES),
    # -- runs -------------------------------------------------------------------------
    Route(
        _POST,
        "/imports",
        "start_import",
        _RUNS,
        IMPORT,
        status=202,
        location="/runs/{id}",
    ),
    Route(_POST, "/checks", "start_check", _RUNS, IMPORT, status=202, location="/runs/{id}"),
    Route(
        _GET,
        "/runs",
        "runs",
        _RUNS,
        MANAGE_FILES,
        typed={"kinds": list[Literal["import", "check", "undo", "export", "move"]]},
        key="id",
    ),
    Route(_GET, "/runs/active", "active_runs", _RUNS, MANAGE_FILES, key="id"),
    Route(_GET, "/runs/known", "known_runs", _RUNS, MANAGE_FILES),
    Route(_GET, "/runs/{id}", "run", _RUNS, _OF_RUNS, scope=_RUNS_SCOPE),
    Route(
        _POST, "/runs/{id}/undo", "start_undo", _RUNS, IMPORT, status=202, location="/runs/{id}"
    ),
    Route(_POST, "/runs/{id}/cancel", "cancel", _RUNS, _OF_RUNS, scope=_RUNS_SCOPE),
    Route(_POST, "/runs/{id}/resume", "resume", _RUNS, _OF_RUNS, scope=_RUNS_SCOPE),
    Route(_POST, "/runs/{id}/give-up", "give_up", _RUNS, _OF_RUNS, scope=_RUNS_SCOPE),
    Route(_GET, "/runs/{run}/corrections", "corrections", _RUNS, MANAGE_FILES, scope=IMPORT),
    Route(
        _GET,
        "/runs/{run}/rows",
        "done_rows",
        _HISTORY,
        MANAGE_FILES,
        typed={"limit": Annotated[int, Bound(1, MOST_ENTRIES)]},
        scope=IMPORT,
    ),
    Route(
        _GET,
        "/runs/{run}/rows/{row}/history",
        "history_of_row",
        _HISTORY,
        MANAGE_FILES,
        scope=IMPORT,
    ),
    # -- what checks have found ---------------------------------------------------------
    Route(_GET, "/checks/{id}/rows", "check_rows", _CHECKS, MANAGE_FILES, scope=IMPORT),
    Route(
        _GET,
        "/checks/{check}/groups",
        "problem_groups",
        _CHECKS,
        MANAGE_FILES,
        key="id",
        scope=IMPORT,
    ),
    Route(
        _GET, "/checks/{check}/failing-rows", "failing_rows", _CHECKS, MANAGE_FILES, scope=IMPORT
    ),
    Route(
        _GET,
        "/checks/{check}/failing-table",
        "failing_table",
        _CHECKS,
        MANAGE_FILES,
        gives_file=True,
        scope=IMPORT,
    ),
    Route(
        _GET,
        "/checks/{check}/groups/{group}/texts",
        "like_cells",
        _CHECKS,
        MANAGE_FILES,
        key="text",
        scope=IMPORT,
    ),
    # -- exports ----------------------------------------------------------------------
    Route(_GET, "/exporters", "exporters", _EXPORTS, EXPORT, key="name"),
    Route(
        _POST,
        "/exporters/{exporter}/keys",
        "export_keys",
        _EXPORTS,
        EXPORT,
        reads=True,
        sent="stream",
    ),
    Route(_GET, "/exports", "exports", _EXPORTS, EXPORT, key="id"),
    Route(
        _POST,
        "/exports",
        "start_export",
        _EXPORTS,
        EXPORT,
        status=202,
        whole="wish",
        location="/runs/{id}",
    ),
    Route(
        _POST,
        "/exports/now",
        "export",
        _EXPORTS,
        EXPORT,
        reads=True,
        whole="wish",
        gives_file=True,
        written="stream",
    ),
    Route(_GET, "/exports/{id}/wish", "export_wish", _EXPORTS, EXPORT),
    Route(_GET, "/exports/{id}/content", "open_export", _EXPORTS, EXPORT, gives_file=True),
    Route(_DELETE, "/exports/{id}", "discard_export", _EXPORTS, EXPORT),
    # -- kinds of objects, and their mappings -------------------------------------------
    Route(_GET, "/processors", "processors", _KINDS, MANAGE_FILES, key="name"),
    Route(_GET, "/processors/{name}", "processor", _KINDS, MANAGE_FILES),
    Route(
        _GET,
        "/processors/{processor}/template",
        "template",
        _KINDS,
        MANAGE_FILES,
        gives_file=True,
        scope=IMPORT,
    ),
    Route(_GET, "/kinds", "kinds", _KINDS, MANAGE_FILES, key="name"),
    Route(_GET, "/sources", "sources", _KINDS, MANAGE_FILES, key="name"),
    Route(
        _POST,
        "/processors/{processor}/proposed-columns",
        "propose_columns",
        _MAPPINGS,
        MANAGE_FILES,
        reads=True,
        scope=IMPORT,
    ),
    Route(
        _GET,
        "/processors/{processor}/mappings",
        "saved_mappings",
        _MAPPINGS,
        MANAGE_FILES,
        key="name",
        scope=IMPORT,
    ),
    Route(
        _PUT,
        "/processors/{processor}/mappings/{name}",
        "save_mapping",
        _MAPPINGS,
        MANAGE_FILES,
        scope=IMPORT,
    ),
    Route(
        _DELETE,
        "/processors/{processor}/mappings/{name}",
        "drop_mapping",
        _MAPPINGS,
        MANAGE_FILES,
        scope=IMPORT,
    ),
    Route(
        _GET,
        "/processors/{processor}/mappings/{name}/fitted",
        "use_mapping",
        _MAPPINGS,
        MANAGE_FILES,
        scope=IMPORT,
    ),
    # -- history ----------------------------------------------------------------------
    Route(_GET, "/history", "history_kinds", _HISTORY, MANAGE_FILES, key="name"),
    Route(
        _GET,
        "/history/{kind}",
        "history",
        _HISTORY,
        MANAGE_FILES,
        typed={"limit": Annotated[int, Bound(1, MOST_ENTRIES)]},
    ),
    # -- logs and figures -------------------------------------------------------------
    Route(_GET, "/logs", "logs", _LOGS, MANAGE_FILES),
    Route(
        _GET,
        "/logs/lines",
        "log_page",
        _LOGS,
        MANAGE_FILES,
        typed={"options": LogOptions},
    ),
    Route(_POST, "/logs/mentions", "mentions", _LOGS, MANAGE_FILES, reads=True),
    Route(_GET, "/log-entries/{reference}", "log_entry", _LOGS, MANAGE_PORTAL),
    Route(
        _GET,
        "/figures",
        "figures",
        _FIGURES,
        MANAGE_FILES,
        typed={"unit": Literal["day", "week", "month"]},
    ),
    Route(_GET, "/today", "today", _FIGURES, None),
    # -- webhooks ---------------------------------------------------------------------
    Route(_GET, "/webhooks", "webhooks", _WEBHOOKS, _TOLD, key="id", goes_on=True),
    Route(
        _POST,
        "/webhooks",
        "new_webhook",
        _WEBHOOKS,
        _TOLD,
        status=201,
        location="/webhooks/{id}",
        gives_secret=True,
        goes_on=True,
    ),
    Route(_GET, "/webhooks/{id}", "webhook", _WEBHOOKS, _TOLD, goes_on=True),
    Route(_PATCH, "/webhooks/{id}", "change_webhook", _WEBHOOKS, _TOLD, goes_on=True),
    Route(_DELETE, "/webhooks/{id}", "remove_webhook", _WEBHOOKS, _TOLD, goes_on=True),
    Route(
        _POST,
        "/webhooks/{id}/secret",
        "renew_webhook_secret",
        _WEBHOOKS,
        _TOLD,
        gives_secret=True,
        goes_on=True,
    ),
    Route(
        _POST, "/webhooks/{id}/test", "test_webhook", _WEBHOOKS, _TOLD, status=202, goes_on=True
    ),
    Route(
        _GET, "/webhooks/{id}/deliveries", "deliveries", _WEBHOOKS, _TOLD, key="id", goes_on=True
    ),
    Route(_GET, "/deliveries/{id}", "delivery", _WEBHOOKS, _TOLD, goes_on=True),
    Route(
        _POST,
        "/deliveries/{delivery}/again",
        "deliver_again",
        _WEBHOOKS,
        _TOLD,
        status=202,
        goes_on=True,
    ),
    # -- accounts ---------------------------------------------------------------------
    Route(_GET, "/users", "users", _USERS, MANAGE_USERS, key="name"),
    Route(
        _POST,
        "/users",
        "add_user",
        _USERS,
        MANAGE_USERS,
        status=201,
        location="/users/{name}",
        typed={"more": AccountValues | None},
    ),
    Route(_GET, "/users/{name}", "user", _USERS, MANAGE_USERS),
    Route(
        _PATCH,
        "/users/{name}",
        "change_user",
        _USERS,
        MANAGE_USERS,
        typed={"values": AccountValues},
    ),
    Route(_DELETE, "/users/{name}", "remove_user", _USERS, MANAGE_USERS),
    Route(_GET, "/users/{user}/tokens", "tokens_of", _USERS, MANAGE_USERS, key="id"),
    Route(_GET, "/users/{name}/runs-under-way", "runs_under_way", _USERS, MANAGE_USERS),
    Route(_PUT, "/users/{name}/roles", "set_roles", _USERS, MANAGE_USERS),
    Route(_POST, "/users/{name}/suspend", "suspend_user", _USERS, MANAGE_USERS),
    Route(_POST, "/users/{name}/resume", "resume_user", _USERS, MANAGE_USERS),
    Route(_GET, "/roles", "roles", _USERS, MANAGE_USERS),
    # -- settings, letters and mail -----------------------------------------------------
    Route(_GET, "/settings/{section}", "settings", _SETTINGS, MANAGE_PORTAL),
    Route(_PATCH, "/settings/{section}", "change_settings", _SETTINGS, MANAGE_PORTAL),
    Route(
        _POST,
        "/settings/retention/next",
        "forgotten_next",
        _SETTINGS,
        MANAGE_PORTAL,
        reads=True,
    ),
    Route(_GET, "/letters/{name}/{language}", "letter_texts", _SETTINGS, MANAGE_PORTAL),
    Route(_PUT, "/letters/{name}/{language}", "set_letter_texts", _SETTINGS, MANAGE_PORTAL),
    Route(_DELETE, "/letters/{name}/{language}", "reset_letter_texts", _SETTINGS, MANAGE_PORTAL),
    Route(
        _POST,
        "/letters/{name}/{language}/preview",
        "preview_letter",
        _SETTINGS,
        MANAGE_PORTAL,
        reads=True,
    ),
    Route(_GET, "/mail", "mail_queue", _MAIL, MANAGE_PORTAL),
    Route(_POST, "/mail/test", "send_test_message", _MAIL, MANAGE_PORTAL),
    Route(_POST, "/mail/{id}/send", "send_message_again", _MAIL, MANAGE_PORTAL),
    Route(_DELETE, "/mail/{id}", "discard_message", _MAIL, MANAGE_PORTAL),
    # -- the storage --------------------------------------------------------------------
    Route(_GET, "/storage", "storage_path", _STORAGE, MANAGE_PORTAL),
    Route(_PUT, "/storage", "use_storage", _STORAGE, MANAGE_PORTAL),
    Route(_GET, "/storage/roots", "storage_roots", _STORAGE, MANAGE_PORTAL),
    Route(_GET, "/storage/places", "look_at_place", _STORAGE, MANAGE_PORTAL),
    Route(
        _POST,
        "/storage/moves",
        "start_move",
        _STORAGE,
        MANAGE_PORTAL,
        status=202,
        location="/runs/{id}",
    ),
    Route(_GET, "/storage/moves/last", "last_move", _STORAGE, MANAGE_PORTAL),
    Route(_GET, "/storage/former", "former_storages", _STORAGE, MANAGE_PORTAL),
    Route(_DELETE, "/storage/former", "remove_former_storage", _STORAGE, MANAGE_PORTAL),
    # -- the system -----------------------------------------------------------------------
    Route(_GET, "/system", "system", _SYSTEM, MANAGE_PORTAL),
    Route(_POST, "/system/pack", "pack", _SYSTEM, MANAGE_PORTAL),
    Route(_POST, "/system/recover", "recover", _SYSTEM, MANAGE_FILES),
    Route(_GET, "/maintenance", "maintenance", _SYSTEM, MANAGE_PORTAL),
    Route(_PUT, "/maintenance", "start_maintenance", _SYSTEM, MANAGE_PORTAL),
    Route(_DELETE, "/maintenance", "end_maintenance", _SYSTEM, MANAGE_PORTAL),
)

#: Operations without an address -> why they have none.
UNROUTED = {
    **dict.fromkeys(
        (
            "new_token",
            "revoke_token",
            "set_own_password",
            "set_password",
            "end_own_sessions",
            "end_sessions",
        ),
        "Tokens, passwords and sessions are for people: it cannot be done with a token.",
    ),
    **dict.fromkeys(
        ("begin_upload", "continue_upload"),
        "It is a step of an upload in pieces, for which there is the protocol tus at /uploads.",
    ),
    "look_through_logs": "It gives lines without an end; log_page gives pages of them.",
    "mentions_later": "It gives a function for pages that are being sent; see mentions.",
    **dict.fromkeys(
        ("date_orders", "correct_dates"),
        "It guesses for a person; a program corrects the texts itself.",
    ),
    "also_preparing": "It lets people agree on who goes on; a program agrees with nobody.",
    "propose_kind": "It guesses for a person; a program knows what it brings.",
    "require_content": "It is the first step of a preview, which says the same.",
    "set_storage_path": "It takes any folder of the server, thus is for who can log in there.",
    "start_move_anywhere": "It takes any folder of the server, thus is for who can log in there.",
}


@cache
def by_operation() -> Mapping[str, Route]:
    """Return the routes by the names of their operations."""
    return {route.operation: route for route in ROUTES}
