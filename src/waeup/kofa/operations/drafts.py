"""Operations on drafts, as far as they know of runs, of passwords, and of corrected rows.

A draft of rows that an import has left begins with what is known of that import.  A draft that
changes forgets the corrections that would not fit any more, and takes no run of another file.
`waeup.kofa.operations.imports` keeps drafts.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from zope.component import queryUtility

from waeup.kofa.conversion import is_ignored_column, propose
from waeup.kofa.errors import Refused, TableError, TooLarge
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.corrections import secret_positions
from waeup.kofa.importing.reading import AS_FOUND
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.record import CHECK, IMPORT, Run
from waeup.kofa.ledger import Draft
from waeup.kofa.operations.runs import RunOperations
from waeup.kofa.spool import PENDING_SUFFIX


class DraftOperations(RunOperations):
    """See `waeup.kofa.operations.Operations`."""

    def new_draft(self, filename: str) -> Draft:
        """Begin to prepare the import of a pending file as it is now.

        That of a file with rows that an import has left has the processor, the mode and the
        columns of that import.
        """
        draft = super().new_draft(filename)
        maker = self._maker_of(filename) if filename.endswith(PENDING_SUFFIX) else None
        if maker is not None:
            order = maker.order
            draft.processor, draft.mode = order.processor, order.mode
            with suppress(TableError, TooLarge):
                header = self._header(filename, AS_FOUND)
                columns = tuple(propose(header, order.mapping.fields))
                if all(map(_is_settled, header, columns)):
                    draft.columns = columns
                    draft.values = tuple(pair for pair in order.values if pair[0] in columns)
        return draft

    def save_draft(self, id: str, **changes: Any) -> Draft:
        """Change attributes of a draft of the person.

        When the file is to be read otherwise, the corrections of its rows are forgotten; when a
        column becomes one of passwords, or is none any more, those of its cells.  Raises
        `MappingError` for a password among the constants, and for texts that stand for
        passwords: they would be kept as they are.  `check` and `run` are those of a check and of
        an import of the file, as it is looked at: `Refused` is raised for others, and
        `NoSuchItem` or `NotAllowed` for one that the person cannot see.
        """
        draft = self.draft(id)
        for name in ("check", "run"):
            self._require_own_run(draft, name, changes.get(name))
        reading, secrets = draft.reading, secrets_of(draft, draft.corrections.header)
        draft = super().save_draft(id, **changes)
        changed = secrets ^ secrets_of(draft, draft.corrections.header)
        if draft.reading != reading:
            draft.corrections_to_change().clear()
        elif changed:
            draft.corrections_to_change().forget_columns(changed)
        return draft

    # -- helpers ------------------------------------------------------------------------

    def _require_own_run(self, draft: Draft, name: str, id: str | None) -> None:
        """Raise `Refused` when the ``check``, or ``run``, of a draft would be of another file."""
        if id is None or id == getattr(draft, name):
            return
        order, kind = self._run(id).order, CHECK if name == "check" else IMPORT
        is_it = order.kind == kind and order.undoes is None
        if is_it and (order.file, order.digest) == (draft.filename, draft.digest):
            return
        text = (
            _(
                "The run ${id} is no check of ${filename} as the draft knows it. Name one that "
                "was ordered for this content."
            )
            if kind == CHECK
            else _(
                "The run ${id} is no import of ${filename} as the draft knows it. Name one that "
                "was ordered for this content."
            )
        )
        raise Refused(_(text, mapping={"id": id, "filename": draft.filename}))

    def _maker_of(self, filename: str) -> Run | None:
        """Return the import that has left a pending file, if the person may do the like.

        Of one that was replaced since, the last one that has left a file of that name.
        """
        entry = self.datacenter.ledger.entry(filename)
        maker = None if entry is None or entry.run is None else self._runs.find(entry.run)
        if maker is None:
            made = (run for run in self._runs.newest() if _has_left(run, filename))
            maker = next(made, None)
        if maker is None:
            return None
        processor = queryUtility(IBatchProcessor, name=maker.order.processor)
        return maker if processor is not None and self.may(processor.permission) else None


def _is_settled(name: str, field: str | None) -> bool:
    """Tell whether nobody needs to say what becomes of a column."""
    return field is not None or is_ignored_column(name)


def _has_left(run: Run, pending: str) -> bool:
    """Tell whether a pending file holds the failed rows of a run."""
    if run.order.kind != IMPORT or run.report is None:
        return False
    return bool(run.report["pending"] == pending)


def secrets_of(draft: Draft, header: Sequence[str]) -> set[int]:
    """Return the columns of passwords in a table with this header, as a draft maps it."""
    processor = queryUtility(IBatchProcessor, name=draft.processor or "")
    iface = None if processor is None else processor.iface
    return secret_positions(header, draft.columns or (), iface)
