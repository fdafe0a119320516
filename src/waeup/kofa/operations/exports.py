"""Operations on exports: what there is, orders, results; and an export at once into a stream."""

import logging
import os
from dataclasses import replace
from functools import partial
from itertools import islice
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from zope import schema
from zope.event import notify

from waeup.kofa.conversion import allowed_values
from waeup.kofa.conversion.vocabularies import bound
from waeup.kofa.errors import MappingError, NoSuchItem, TooLarge, WrongState
from waeup.kofa.exporting import Export, Outcome, Wish, find_exporter
from waeup.kofa.exporting.driver import Tell, all_exporters, names_of
from waeup.kofa.exporting.filters import Day, filters_in_order
from waeup.kofa.exporting.keys import keys_of_table
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.interfaces import ExportBegunEvent, ExportDoneEvent
from waeup.kofa.jobs.exports import SCOPE, result_of
from waeup.kofa.jobs.job import PREFIX, remove_folders
from waeup.kofa.jobs.lanes import is_small_export
from waeup.kofa.jobs.record import EXPORT, Order, Run
from waeup.kofa.operations.acting import SECRETS
from waeup.kofa.operations.runs import RunOperations
from waeup.kofa.operations.values import ExporterInfo, FilterInfo, RunInfo
from waeup.kofa.rights import EXPORT_DATA
from waeup.kofa.spool import EXTENSIONS
from waeup.kofa.spool.disk import CHUNK
from waeup.kofa.transactional import on_commit

log = logging.getLogger(__name__)

#: Values of a filter that are listed.
MOST_OFFERED = 1_000
#: Keys that an order may list: they are kept with it.
MOST_KEYS = 200_000


class ExportOperations(RunOperations):
    """See `waeup.kofa.operations.Operations`."""

    # -- what there is ----------------------------------------------------------------

    def exporters(self) -> list[ExporterInfo]:
        """List what the person may export, sorted by title."""
        self._require(EXPORT_DATA)
        found = [
            self._describe_exporter(name, exporter)
            for name, exporter in all_exporters()
            if self.may(_permission(exporter))
        ]
        return sorted(found, key=lambda info: (info.title, info.name))

    def export_keys(self, exporter: str, name: str, stream: BinaryIO) -> tuple[str, ...]:
        """Return the keys that a table lists which a person has sent; see `keys_of_table`.

        `name` is that of the file, whose extension says what it is.
        """
        found = self._exporter(exporter)
        limit = self.upload_limit()
        with TemporaryDirectory(prefix="kofa-keys-") as folder:
            # The extension counts, the rest of a name may be anything.
            path = os.path.join(folder, "keys" + _extension(name))
            with open(path, "wb") as target:
                while block := stream.read(CHUNK):
                    if target.tell() + len(block) > limit:
                        raise TooLarge(
                            _(
                                "${name} has more than ${limit} bytes. Split it.",
                                mapping={"name": name, "limit": Number(limit)},
                            )
                        )
                    target.write(block)
            return keys_of_table(path, found.key_fields, name)

    # -- at once ------------------------------------------------------------------------

    def export(self, wish: Wish, stream: BinaryIO, tell: Tell | None = None) -> Outcome:
        """Export into `stream`, in this transaction; see `Export.write`.

        Raises what subscribers of `IExportBegunEvent` raise; then nothing was written.
        """
        self._require_export(wish)
        export = Export(wish, self.site)
        export.require_room()
        user = self.principal.id
        notify(ExportBegunEvent(self.datacenter, wish, user))
        outcome = export.write(stream, tell)
        # Not with the transaction: there may be none to commit, and the table has left already.
        self.datacenter.logger.info("exported: %s, %s rows", _words(wish), outcome.rows)
        try:
            notify(ExportDoneEvent(self.datacenter, wish, user, outcome))
        except Exception:
            log.exception("A subscriber of the export %s has failed.", _words(wish))
        return outcome

    # -- in the background ----------------------------------------------------------------

    def start_export(self, wish: Wish) -> RunInfo:
        """Order an export, whose result is kept for a while.

        Raises `Refused` for what cannot be exported so, `NoSuchItem` and `NotAllowed`.
        """
        self._require_export(wish)
        if wish.keys is not None and len(wish.keys) > MOST_KEYS:
            raise TooLarge(
                _(
                    "An order may list ${most_keys} keys, and these are ${number}. Split the "
                    "list, or use `kofactl export --keys`.",
                    mapping={"most_keys": Number(MOST_KEYS), "number": Number(len(wish.keys))},
                )
            )
        export = Export(wish, self.site)
        # To look at a million objects is work of the run.
        export.require_room(may_look=False)
        needs = {_permission(export.exporter), *([SECRETS] if wish.secrets else [])}
        order = Order(
            kind=EXPORT,
            file=export.filename,
            digest="",
            processor=wish.exporter,
            mode="",
            user=self.principal.id,
            takes_file=False,
            wish=replace(wish, keys=None).as_dict(),
        )
        run = Run(order, SCOPE, needs)
        if wish.keys is not None:
            run.list_keys(wish.keys)
        run.is_small = is_small_export(run)
        self._runs.add(run)
        self._ring(run)
        self._log("exported: %s, job_id=%s", _words(wish), run.id)
        return self._info(run)

    def exports(self, limit: int = 100) -> list[RunInfo]:
        """List the exports that the person has ordered, the newest first.

        Who manages the portal sees those of all.
        """
        self._require(EXPORT_DATA)
        return [self._info(run) for run in islice(self._seen([EXPORT]), limit)]

    def export_wish(self, id: str) -> Wish:
        """Return what an export was ordered with, its keys included; raises `NoSuchItem`."""
        return self._export_run(id).wish

    def open_export(self, id: str) -> tuple[str, BinaryIO]:
        """Return the result of an export and what it is called; the caller closes it.

        Raises `NoSuchItem` when there is none, or not any more.
        """
        run = self._export_run(id)
        if (run.order.wish or {}).get("secrets"):
            self._require_secrets()
        stream = open(result_of(self.datacenter.storage, run), "rb")  # noqa: SIM115
        name = f"{self._acronym}_{run.order.processor}_{run.id}{_ending(run)}"
        self._log("downloaded: %s, job_id=%s", name, run.id)
        return name, stream

    def discard_export(self, id: str) -> None:
        """Forget an export that is over, and its result."""
        run = self._export_run(id)
        if run.is_active:
            raise WrongState(
                _(
                    "The ${title} is ${state}. Cancel it first.",
                    mapping={"title": run.words, "state": _(run.state)},
                )
            )
        self._runs.drop(run)
        on_commit(partial(remove_folders, self.datacenter.storage, [PREFIX + run.id]))
        self._log("discarded: job_id=%s", run.id)

    # -- helpers --------------------------------------------------------------------------

    @property
    def _acronym(self) -> str:
        """What names of downloads begin with (Kofa 1.9)."""
        acronym = str(getattr(self.site, "acronym", ""))
        return "".join(c for c in acronym if c.isalnum() or c in "._-").lstrip(".") or "Kofa"

    def _exporter(self, name: str) -> Any:
        self._require(EXPORT_DATA)
        exporter = find_exporter(name)
        self._require(_permission(exporter))
        return exporter

    def _require_export(self, wish: Wish) -> None:
        self._exporter(wish.exporter)
        if wish.secrets:
            self._require_secrets()

    def _export_run(self, id: str) -> Run:
        run = self._run(id)
        if run.order.kind != EXPORT:
            raise NoSuchItem(
                _(
                    "The run ${id} is the ${title}, not an export.",
                    mapping={"id": id, "title": run.words},
                )
            )
        return run

    def _describe_exporter(self, name: str, exporter: Any) -> ExporterInfo:
        secrets = tuple(name for name in names_of(exporter) if name in exporter.secret_fields)
        may_secrets = bool(secrets) and self._may_change(SECRETS)
        return ExporterInfo(
            name=name,
            title=exporter.title,
            columns=tuple(f for f in exporter.fields if f not in exporter.secret_fields),
            secrets=secrets if may_secrets else (),
            filters=tuple(
                _describe_filter(filter_name, found)
                for filter_name, field in filters_in_order(exporter.filters)
                if (found := _bound(field, self.site)) is not None
            ),
            keys=tuple(exporter.key_fields),
            permission=_permission(exporter),
        )


def _permission(exporter: Any) -> str:
    permission: str = exporter.permission
    return permission


def _bound(field: Any, site: Any) -> Any:
    """Return a filter bound to the site; None for one whose values cannot be found."""
    try:
        return bound(field, site)
    except MappingError:
        # Of one kind: it must not keep people from all others. Whoever uses it is told why.
        return None


def _describe_filter(name: str, field: Any) -> FilterInfo:
    kind, choices = "text", tuple(allowed_values(field).items())
    if 0 < len(choices) <= MOST_OFFERED:
        kind = "choice"
    else:
        choices = ()
        if isinstance(field, Day | schema.Date):
            kind = "date"
        elif isinstance(field, schema.Int | schema.Float | schema.Decimal):
            kind = "number"
    return FilterInfo(name, field.title or name, field.description or "", kind, choices)


def _extension(name: str) -> str:
    """Return the extension of a name, that of a packed file with the one before.

    One that no table has is left out: it can be anything that a browser sends.
    """
    base = os.path.basename(name.replace("\\", "/")).lower()
    stem, extension = os.path.splitext(base)
    inner = os.path.splitext(stem)[1] if extension == ".gz" else ""
    return "".join(each for each in (inner, extension) if each in EXTENSIONS)


def _ending(run: Run) -> str:
    """Return the extension of a result, by its name."""
    return run.order.file.removeprefix(run.order.processor)


def _words(wish: Wish) -> str:
    """Return for the log what was exported; keys and values of filters stay out of it."""
    names = ", ".join(dict.fromkeys(name for name, _ in wish.filters))
    parts = [
        wish.exporter,
        f"by {names}" if names else "",
        f"{len(wish.keys):,} keys" if wish.keys is not None else "",
        "with passwords" if wish.secrets else "",
        "" if wish.safe else "without safe cells",
    ]
    return " ".join(filter(None, parts))
