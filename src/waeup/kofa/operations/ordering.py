"""Operations that order runs: imports, checks and undos.

An order is committed by the door, as any change; a worker then does it in the background.
"""

import os
from collections.abc import Iterable
from dataclasses import replace

from zope.component import getUtility, queryUtility

from waeup.kofa.conversion import Mapping
from waeup.kofa.errors import (
    ConfirmationNeeded,
    FileRefused,
    MappingError,
    WrongState,
)
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number
from waeup.kofa.importing.confirming import FEW, Numbers, confirmation_for, has_own_check
from waeup.kofa.importing.corrections import Corrections
from waeup.kofa.importing.distribution import result_names
from waeup.kofa.importing.hooks import CREATE, REMOVE, overridden
from waeup.kofa.importing.reading import AS_FOUND
from waeup.kofa.interfaces import IBatchProcessor, IDataCenterConfig
from waeup.kofa.jobs.lanes import is_small_file, is_small_undo
from waeup.kofa.jobs.record import CHECK, FINISHED, IMPORT, UNDO, Order, Run
from waeup.kofa.operations.contents import needs_of
from waeup.kofa.operations.runs import RunOperations
from waeup.kofa.operations.values import RunInfo
from waeup.kofa.rights import IMPORT_DATA
from waeup.kofa.spool import count_lines
from waeup.kofa.spool.disk import digest_of
from waeup.kofa.tabular.options import ReadOptions


class OrderingOperations(RunOperations):
    """See `waeup.kofa.operations.Operations`."""

    def start_import(
        self,
        name: str,
        processor: str,
        mode: str,
        mapping: Mapping,
        *,
        digest: str | None = None,
        options: ReadOptions = AS_FOUND,
        skip_unchanged: bool = False,
        check: str | None = None,
        draft: str | None = None,
        yes_remove: int = 0,
        yes_change: int = 0,
    ) -> RunInfo:
        """Order the import of a pending file.

        `digest` is the SHA-256 of the content that the mapping was made for: an import of other
        content is refused (default: the content of this moment).  `options` say how the file is
        read, as in `preview`.  `check` is the id of a check of the same import: rows that turn
        out otherwise fail.  `draft` is the id of a draft of the person: rows are read as they were
        corrected there.  `yes_remove` and `yes_change` confirm numbers of objects.

        Raises `ConfirmationNeeded` when more objects would be removed or changed, `WrongState`
        when the file belongs to another run, and what `check` raises.
        """
        order = self._order(IMPORT, name, processor, mode, mapping, digest, options)
        # Of a name that is too long for its results nobody must learn when they are there.
        result_names(name, mode, ())
        corrections = self._corrections_for(order, draft)
        order = replace(
            order,
            skip_unchanged=skip_unchanged,
            check=check,
            corrections="" if corrections is None else corrections.digest(),
        )
        checked = None if check is None else self._fitting_check(order, check)
        if checked is not None and checked.totals().refused:
            raise FileRefused.of(name, checked.totals().refused)
        self._require_confirmation(order, checked, yes_remove, yes_change)
        self._tell_mapping_of(order, mapping)
        info = self._start(order, self._needs(name), corrections)
        self._remember(order, self._header(name, options))
        return info

    def start_check(
        self,
        name: str,
        processor: str,
        mode: str,
        mapping: Mapping,
        *,
        digest: str | None = None,
        options: ReadOptions = AS_FOUND,
        skip_unchanged: bool = False,
        draft: str | None = None,
    ) -> RunInfo:
        """Order a check of an import: what it would do, row by row; nothing of it stays.

        `draft` is as for an import.
        """
        order = self._order(CHECK, name, processor, mode, mapping, digest, options)
        corrections = self._corrections_for(order, draft)
        order = replace(
            order,
            skip_unchanged=skip_unchanged,
            takes_file=False,
            corrections="" if corrections is None else corrections.digest(),
        )
        self._tell_mapping_of(order, mapping)
        return self._start(order, self._needs(name), corrections)

    def start_undo(self, id: str, *, check: bool = False) -> RunInfo:
        """Order that an import is taken back; with `check` only what that would do.

        Raises `WrongState` when there is nothing to take back.
        """
        undone = self._orderable(id)
        if not undone.can_be_undone:
            raise WrongState(self._why_not_undone(undone))
        takes_file = not check and undone.holds_file
        order = replace(
            undone.order,
            kind=CHECK if check else UNDO,
            user=self.principal.id,
            undoes=undone.id,
            check=None,
            takes_file=takes_file,
        )
        info = self._start(order, undone.needs)
        if not check:
            undone.undone_by = info.id
        return info

    # -- helpers ----------------------------------------------------------------------

    def _order(
        self,
        kind: str,
        name: str,
        processor: str,
        mode: str,
        mapping: Mapping,
        digest: str | None,
        options: ReadOptions,
    ) -> Order:
        """Return the order, once it is clear that it can be carried out."""
        self._require(IMPORT_DATA)
        path = self._existing(name)
        current = digest_of(path)
        if digest is not None and digest != current:
            raise MappingError(
                _(
                    "${name} was changed since its columns were mapped. Give this import up, "
                    "and choose the file again.",
                    mapping={"name": name},
                )
            )
        self.check(name, processor, mode, mapping, options)
        return Order(
            kind,
            name,
            current,
            processor,
            mode,
            self.principal.id,
            tuple(mapping.columns),
            tuple(mapping.constants),
            options.as_dict(),
            values=mapping.values,
        )

    def _tell_mapping_of(self, order: Order, mapping: Mapping) -> None:
        """Notify that an order has been given a mapping, where anybody wants to know."""
        self._tell_mapping(
            "order",
            order.kind,
            order.file,
            order.processor,
            order.mode,
            ReadOptions(**order.reading),
            mapping,
        )

    def _needs(self, name: str) -> set[str]:
        """Return the permissions that a pending file needs, by its entry and by its header."""
        storage = self.datacenter.storage
        return {
            *self.datacenter.ledger.needs(name),
            *needs_of(storage, os.path.join(storage, name)),
        }

    def _corrections_for(self, order: Order, draft: str | None) -> Corrections | None:
        """Return what a run of a draft reads in place of cells of the file, if anything.

        Raises `MappingError` when that was said about other content.
        """
        if draft is None:
            return None
        prepared = self.draft(draft)
        if not len(prepared.corrections):
            return None
        if (prepared.filename, prepared.digest, prepared.reading) != (
            order.file,
            order.digest,
            order.reading,
        ):
            raise MappingError(
                _(
                    "The rows that were corrected are not those of ${file} as it is now, and "
                    "as it is read. Choose the file again.",
                    mapping={"file": order.file},
                )
            )
        processor = getUtility(IBatchProcessor, name=order.processor)
        if overridden(processor, "doImport"):
            raise MappingError(
                _(
                    "${name} imports whole tables, thus no row can be corrected. Take the "
                    "corrections back, and correct the file.",
                    mapping={"name": processor.name},
                )
            )
        return prepared.corrections.copy()

    def _start(
        self, order: Order, needs: Iterable[str], corrections: Corrections | None = None
    ) -> RunInfo:
        self._require(IMPORT_DATA)
        self._require_token_for_run(order)
        scope = getUtility(IBatchProcessor, name=order.processor).scope
        run = Run(order, scope, needs)
        run.corrections = corrections
        if order.undoes is None:
            run.is_small = is_small_file(os.path.join(self.datacenter.storage, order.file))
        else:
            run.is_small = is_small_undo(self._runs.get(order.undoes))
        self._runs.add(run)
        self._ring(run)
        return self._info(run)

    def _fitting_check(self, order: Order, id: str) -> Run:
        """Return the check of the same import; raises `MappingError` when it is of another."""
        check = self._run(id)
        if check.order.kind != CHECK or check.state != FINISHED:
            raise WrongState(
                _(
                    "The check ${id} is ${state}, not finished. Check the file again.",
                    mapping={"id": id, "state": _(check.state)},
                )
            )
        if check.order.undoes is not None or not check.order.is_same_import(order):
            raise MappingError(
                _(
                    "Since the check, ${file}, its mapping, its corrections, or what is to "
                    "be done has changed. Check it again.",
                    mapping={"file": order.file},
                )
            )
        return check

    def _require_confirmation(
        self, order: Order, checked: Run | None, yes_remove: int, yes_change: int
    ) -> None:
        """Raise `ConfirmationNeeded` for a large share of objects that nobody has confirmed."""
        processor = getUtility(IBatchProcessor, name=order.processor)
        if order.mode == CREATE and not has_own_check(processor):
            return
        numbers = self._numbers(order, checked)
        if max(numbers.changed, numbers.removed) > FEW or has_own_check(processor):
            numbers = numbers._replace(total=processor.countEntries(self.site))
        needed = confirmation_for(
            processor,
            numbers,
            queryUtility(IDataCenterConfig, default={}),
            self.site,
            yes_remove,
            yes_change,
        )
        if needed is not None:
            too_many = [needed.removed, needed.changed]
            words = needed.words or _question(order, too_many, numbers.total, numbers.exact)
            raise ConfirmationNeeded(words, *too_many)

    def _numbers(self, order: Order, checked: Run | None) -> Numbers:
        """Return how many objects an import is about: by a check, or at most."""
        if checked is not None:
            report = checked.totals()
            return Numbers(report.created, report.updated, report.removed, exact=True)
        options = ReadOptions(**order.reading)
        source = self._source(self._existing(order.file), options)
        rows = max(count_lines(source.path) - 1, 0)
        if order.mode == CREATE:
            return Numbers(created=rows)
        return Numbers(removed=rows) if order.mode == REMOVE else Numbers(changed=rows)

    def _why_not_undone(self, run: Run) -> str:
        what = _("The ${title}", mapping={"title": run.words})
        if run.undone_by is not None:
            return _(
                "${what} is taken back by another run already: ${undone_by}.",
                mapping={"what": what, "undone_by": run.undone_by},
            )
        if run.is_active:
            return _(
                "${what} is ${state}. Cancel it first.",
                mapping={"what": what, "state": _(run.state)},
            )
        if run.order.kind != IMPORT:
            return _("${what} changed nothing that could be taken back.", mapping={"what": what})
        return _(
            "${what} cannot be taken back: it changed nothing, or its undo records "
            "are not kept any more.",
            mapping={"what": what},
        )


def _question(order: Order, too_many: list[int], total: int | None, is_exact: bool) -> str:
    number, is_removal = next((n, r) for n, r in zip(too_many, (True, False), strict=True) if n)
    many = _("${n}", mapping={"n": Number(number)})
    if total is not None:
        many = _("${n} of ${total}", mapping={"n": Number(number), "total": Number(total)})
    if is_exact and is_removal:
        text = _(
            "The import of ${file} would remove ${many} objects. Is that what you want? Then "
            "confirm the number."
        )
    elif is_exact:
        text = _(
            "The import of ${file} would change ${many} objects. Is that what you want? Then "
            "confirm the number."
        )
    elif is_removal:
        text = _(
            "The import of ${file} could remove ${many} objects. Is that what you want? Then "
            "confirm the number. A check tells the exact number."
        )
    else:
        text = _(
            "The import of ${file} could change ${many} objects. Is that what you want? Then "
            "confirm the number. A check tells the exact number."
        )
    return _(text, mapping={"file": order.file, "many": many})
