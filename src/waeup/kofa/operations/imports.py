"""Operations on kinds of objects: from a pending file to an import that can be ordered."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

from zope.component import getUtilitiesFor, queryUtility
from zope.event import notify
from zope.schema import getFields

from waeup.kofa.conversion import Mapping, Values, explain, propose
from waeup.kofa.conversion.mapping import sorted_values
from waeup.kofa.errors import MappingError, NoSuchItem, NotAllowed
from waeup.kofa.exporting.templates import template
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.declaring import exported_columns
from waeup.kofa.importing.events import is_heard
from waeup.kofa.importing.plan import check_replacements, secret_names
from waeup.kofa.importing.reading import AS_FOUND
from waeup.kofa.interfaces import IGNORE_COLUMN, IBatchProcessor, MappingMadeEvent
from waeup.kofa.ledger import Draft
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.files import FileOperations
from waeup.kofa.operations.values import FieldInfo, ProcessorInfo
from waeup.kofa.spool.disk import digest_of
from waeup.kofa.tabular.options import ReadOptions

#: What a draft knows of a mapping.
_MAPPED = ("columns", "constants", "values")
#: How long a draft is taken for one that somebody works on.
BEGUN_LATELY = timedelta(days=1)
#: Allowed values of a field that are listed.
MOST_CHOICES = 200


class ImportOperations(FileOperations):
    """See `waeup.kofa.operations.Operations`."""

    # -- kinds of objects -----------------------------------------------------------

    def processors(self) -> list[ProcessorInfo]:
        """List the kinds of objects that the person may import, sorted by title."""
        self._require(MANAGE)
        found = [
            _describe(name, processor)
            for name, processor in getUtilitiesFor(IBatchProcessor)
            if self.may(processor.permission)
        ]
        return sorted(found, key=lambda info: info.title)

    def processor(self, name: str) -> ProcessorInfo:
        """Describe one kind of objects, all that explains its fields included."""
        self._require(MANAGE)
        info = _describe(name, self._processor(name))
        return replace(info, fields=tuple(map(partial(self._explained, name), info.fields)))

    def template(
        self,
        processor: str,
        format: str = "csv",  # noqa: A002 - the word for it everywhere
    ) -> tuple[str, bytes]:
        """Return name and content of an empty table for a kind of objects.

        `format` is ``csv``, ``tsv`` or ``xlsx``; a workbook has a second sheet that says what the
        columns are.  Raises `Refused` for other formats.
        """
        self._require(MANAGE)
        return template(self._processor(processor), format, self.site)

    # -- mappings -------------------------------------------------------------------

    def propose_mapping(
        self, name: str, processor: str, mode: str, options: ReadOptions = AS_FOUND
    ) -> Mapping:
        """Propose a field for each column of a pending file."""
        found = self._processor(processor)
        header = without_exported(self._header(name, options), found)
        return Mapping(tuple(propose(header, found.getHeaders(mode))))

    def make_mapping(
        self,
        name: str,
        processor: str,
        mode: str,
        *,
        assign: dict[str, str] | None = None,
        ignore: Iterable[str] = (),
        constants: dict[str, str] | None = None,
        values: Values = (),
        ignore_rest: bool = False,
        options: ReadOptions = AS_FOUND,
    ) -> Mapping:
        """Make a mapping from column names; raises `MappingError`.

        `assign` gives fields to columns, `ignore` names columns to leave out,
        `constants` sets fields for all rows, `values` says which texts stand for others
        (as in `Mapping`); the other columns are matched by name or, with `ignore_rest`,
        left out when no field fits.
        """
        header = self._header(name, options)
        found = self._processor(processor)
        exported = exported_columns(found).intersection(header) - set(assign or {})
        return Mapping.of(
            header,
            found.getHeaders(mode),
            assign=assign or {},
            ignore={*ignore, *exported},
            constants=constants or {},
            values=values,
            ignore_rest=ignore_rest,
        )

    def check(
        self,
        name: str,
        processor: str,
        mode: str,
        mapping: Mapping,
        options: ReadOptions = AS_FOUND,
    ) -> None:
        """Raise `FatalCSVError` when a mapping does not fit the kind and the mode.

        Likewise when a text is to stand for something that is no value of its field.
        """
        header = self._header(name, options)
        found = self._processor(processor)
        if mode not in found.modes:
            raise MappingError(
                _(
                    "${name} has no mode ${mode}. It has: ${modes}.",
                    mapping={
                        "name": found.name,
                        "mode": repr(mode),
                        "modes": ", ".join(found.modes),
                    },
                )
            )
        if len(mapping.columns) != len(header):
            raise MappingError(
                _(
                    "The file ${name} has ${number} columns, but fields are given for "
                    "${number2}. Map the columns again.",
                    mapping={"name": name, "number": len(header), "number2": len(mapping.columns)},
                )
            )
        fields = found.getHeaders(mode)
        unknown = [name for name in mapping.fields if name not in fields]
        if unknown:
            raise MappingError(
                _(
                    "${name} has no field ${repr}. It has: ${fields}.",
                    mapping={
                        "name": found.name,
                        "repr": ", ".join(map(repr, unknown)),
                        "fields": ", ".join(fields),
                    },
                )
            )
        constants = [name for name, _ in mapping.constants]
        found.checkHeaders([*mapping.headerfields, *constants], mode)
        check_replacements(found.iface, mapping.values, self.site, mode)

    # -- drafts -----------------------------------------------------------------------

    def new_draft(self, filename: str) -> Draft:
        """Begin to prepare the import of a pending file as it is now."""
        self._require(MANAGE)
        path = self._existing(filename)
        return self.datacenter.ledger.new_draft(
            filename, digest_of(path), self.principal.id, datetime.now(timezone.utc)
        )

    def draft(self, id: str) -> Draft:
        """Return a draft of the person; raises `NoSuchItem`."""
        self._require(MANAGE)
        draft = self.datacenter.ledger.draft(id)
        if draft.owner != self.principal.id:
            raise NotAllowed(_("Somebody else prepares this import. Choose the file yourself."))
        return draft

    def save_draft(self, id: str, **changes: Any) -> Draft:
        """Change attributes of a draft of the person.

        Raises `MappingError` for a password among the constants, and for texts that stand
        for passwords: they would be kept as they are.
        """
        draft = self.draft(id)
        for name, value in changes.items():
            if not hasattr(type(draft), name):
                raise TypeError(f"a draft has no attribute {name!r} that can be changed")
            setattr(draft, name, sorted_values(value) if name == "values" else value)
        self._refuse_secrets(draft.processor, draft.constants, draft.values)
        mapping = None if changes.keys().isdisjoint(_MAPPED) else _mapping_of(draft)
        if mapping is not None:
            self._tell_mapping(
                "draft",
                draft.id,
                draft.filename,
                draft.processor or "",
                draft.mode or "",
                ReadOptions(**draft.reading),
                mapping,
            )
        return draft

    def prepared(self) -> dict[str, str]:
        """Return the processors that were chosen last for files, by the names of these."""
        self._require(MANAGE)
        drafts = sorted(self.datacenter.ledger.drafts(), key=lambda draft: draft.date)
        return {draft.filename: draft.processor for draft in drafts if draft.processor}

    def also_preparing(self, draft: str) -> dict[str, datetime]:
        """Return who else prepares an import of the file of a draft, and since when (UTC).

        Who has begun that more than a day ago has left it, most likely, and is not told.
        """
        own, since = self.draft(draft), datetime.now(timezone.utc) - BEGUN_LATELY
        others = [
            other
            for other in self.datacenter.ledger.drafts()
            if other.filename == own.filename
            and other.owner != own.owner
            and other.run is None
            and other.date >= since
        ]
        others.sort(key=lambda other: other.date)
        return {other.owner: other.date for other in others}

    def drop_draft(self, id: str) -> None:
        """Forget a draft of the person; with the file gone, all but the corrections in it."""
        draft = self.draft(id)
        if os.path.lexists(os.path.join(self.datacenter.storage, draft.filename)):
            self.datacenter.ledger.drop_draft(id)
        else:
            self.datacenter.ledger.leave_draft(draft)

    # -- helpers ------------------------------------------------------------------------

    def _tell_mapping(
        self,
        kept: str,
        name: str,
        file: str,
        processor: str,
        mode: str,
        options: ReadOptions,
        mapping: Mapping,
    ) -> None:
        """Notify that a mapping of the columns of a file is kept; see `IMappingMadeEvent`.

        Where nobody wants to know the file is not read.
        """
        if is_heard(MappingMadeEvent):
            header = tuple(self._header(file, options))
            notify(
                MappingMadeEvent(
                    self.datacenter, kept, name, file, processor, mode, header, mapping
                )
            )

    def _processor(self, name: str) -> Any:
        processor = queryUtility(IBatchProcessor, name=name)
        if processor is None:
            names = ", ".join(sorted(name for name, _ in getUtilitiesFor(IBatchProcessor)))
            raise NoSuchItem(
                _(
                    "There is no processor ${name}. There are: ${names}.",
                    mapping={"name": repr(name), "names": names},
                )
            )
        self._require(processor.permission)
        return processor

    def _explained(self, processor: str, info: FieldInfo) -> FieldInfo:
        """Return a field with all that explains it."""
        fields = getFields(self._processor(processor).iface)
        if info.name not in fields:
            return replace(info, kind=_("text"))
        words = explain(fields[info.name], self.site)
        return replace(
            info,
            kind=words.kind,
            choices=words.allowed[:MOST_CHOICES],
            more_choices=len(words.allowed[MOST_CHOICES:]),
            description=words.description,
            example=words.example,
        )

    def _refuse_secrets(
        self, processor: str | None, constants: tuple[tuple[str, str], ...], values: Values
    ) -> None:
        """Raise `MappingError` for passwords in what is going to be kept."""
        if processor is None or not (constants or values):
            return
        secret = secret_names(self._processor(processor).iface)
        for name, _text in constants:
            if name in secret:
                raise MappingError(
                    _(
                        "${name} cannot be the same for all rows: a password is nobody else's "
                        "business. Put a column of passwords into the file.",
                        mapping={"name": name},
                    )
                )
        for name, _pairs in values:
            if name in secret:
                raise MappingError(
                    _(
                        "Texts of ${name} cannot stand for others: a password is nobody else's "
                        "business. Correct the file.",
                        mapping={"name": name},
                    )
                )


def _mapping_of(draft: Draft) -> Mapping | None:
    """Return the mapping of a draft; None for one that is none yet."""
    if draft.columns is None:
        return None
    try:
        return Mapping(draft.columns, draft.constants, draft.values)
    except MappingError:
        # A person is at it: a field is filled twice for now.
        return None


def without_exported(header: Sequence[str], processor: Any) -> list[str]:
    """Return names of columns, with a marker for those that only exports of the kind have."""
    exported = exported_columns(processor)
    return [IGNORE_COLUMN if name in exported else name for name in header]


def _describe(name: str, processor: Any) -> ProcessorInfo:
    fields = getFields(processor.iface)
    required = set(processor.req["create"])
    secrets = secret_names(processor.iface)
    return ProcessorInfo(
        name=name,
        title=processor.name,
        modes=processor.modes,
        fields=tuple(
            FieldInfo(
                name=field,
                type=type(fields[field]).__name__ if field in fields else "TextLine",
                title=fields[field].title if field in fields else "",
                required=field in required,
                secret=field in secrets,
            )
            for field in processor.available_fields
        ),
        required={mode: list(processor.req[mode]) for mode in processor.modes},
        permission=processor.permission,
    )
