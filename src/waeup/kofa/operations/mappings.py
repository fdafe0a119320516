"""Operations on mappings: what columns and texts may mean, and mappings with a name."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any

from zope import schema
from zope.event import notify
from zope.i18n import translate
from zope.i18nmessageid import Message
from zope.schema import getFields

from waeup.kofa.conversion import (
    ChoiceConverter,
    FieldPlan,
    FittedMapping,
    Guess,
    Mapping,
    SavedMapping,
    TokenGuesser,
    Values,
    allowed_values,
    explain,
    guess_columns,
    is_ignored_column,
)
from waeup.kofa.conversion.guessing import CONFIDENCE, REMEMBERED
from waeup.kofa.conversion.saved import check_mapping_name
from waeup.kofa.errors import FatalCSVError, MappingError
from waeup.kofa.i18n import LANGUAGES
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.corrections import secret_columns
from waeup.kofa.importing.foreign import Foreign, foreign_texts
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE, row_error
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.importing.preview import HIDDEN, Preview
from waeup.kofa.importing.reading import AS_FOUND
from waeup.kofa.interfaces import MappingMadeEvent
from waeup.kofa.jobs.record import Order
from waeup.kofa.operations.acting import MANAGE
from waeup.kofa.operations.imports import MOST_CHOICES, ImportOperations, without_exported
from waeup.kofa.operations.values import ChoiceColumn, ForeignText, ProposedColumn, ProposedKind
from waeup.kofa.tabular.options import ReadOptions

#: What a person may mean by yes and no, besides their tokens.
_YES_OR_NO = (("yes", "1"), ("true", "1"), ("on", "1"), ("no", "0"), ("false", "0"), ("off", "0"))


#: With more columns no kind of objects is proposed: to compare them would take too long.
MOST_COLUMNS = 200
#: So many columns at least fit a kind that is proposed although it needs more than these.
LEAST_COLUMNS = 3
#: Modes in which a table brings something, the one that is proposed first in front.
_BRINGING = (CREATE, UPDATE)


class MappingOperations(ImportOperations):
    """See `waeup.kofa.operations.Operations`."""

    # -- what columns may mean ------------------------------------------------------

    def propose_columns(
        self, preview: Preview, processor: str, mode: str
    ) -> tuple[ProposedColumn, ...]:
        """Propose a field for each column of a table that was looked at.

        Other than `propose_mapping`, this guesses, also from titles in other languages: a person
        has to see what is proposed, and how certain it is, before it counts.  Raises
        `MappingError` for samples that do not belong to the header.
        """
        self._require(MANAGE)
        if any(len(row) != len(preview.header) for row in preview.samples):
            raise MappingError(
                _("The rows of the preview do not fit its header. Send it as it was given.")
            )
        found = self._processor(processor)
        fields = getFields(found.iface)
        guesses = self._guesses(preview.header, processor, mode)
        secret = secret_names(found.iface)
        return tuple(
            ProposedColumn(
                column,
                *guess,
                tuple(HIDDEN if guess.value in secret else row[at] for row in preview.samples),
                explain(fields[guess.value], self.site).kind if guess.value in fields else "",
            )
            for at, (column, guess) in enumerate(zip(preview.header, guesses, strict=True))
        )

    def propose_kind(self, preview: Preview) -> ProposedKind | None:
        """Propose what the rows of a table are, by its columns.

        It is the kind of which they fill the most fields, all that it needs among these, and
        before others one that can be created of them.  Where no kind has all that it needs it is
        one that most columns fit, and at least three: what is left may be named in another way.
        None when there is none, two are as likely, or the columns are too many to be compared with
        all kinds.  Like `propose_columns` this guesses.
        """
        fitting: list[ProposedKind] = []
        lacking: list[ProposedKind] = []
        for info in self.processors() if len(preview.header) <= MOST_COLUMNS else ():
            tried = []
            for mode in (mode for mode in _BRINGING if mode in info.modes):
                guesses = self._guesses(preview.header, info.name, mode)
                filled = [guess.value for guess in guesses if guess.value is not None]
                tried.append(ProposedKind(info.name, mode, len(filled)))
                with suppress(FatalCSVError):
                    self._processor(info.name).checkHeaders(filled, mode)
                    fitting.append(tried[-1])
                    break
            else:
                lacking.extend(kind for kind in tried[:1] if _is_likely(kind, preview.header))
        kinds = fitting or lacking
        most = max(map(_likelihood, kinds), default=None)
        best = [kind for kind in kinds if _likelihood(kind) == most]
        return best[0] if len(best) == 1 else None

    # -- what texts may mean ----------------------------------------------------------

    def choice_values(
        self, id: str, columns: Sequence[str | None] | None = None
    ) -> tuple[ChoiceColumn, ...]:
        """Return the columns of a draft that fill choices, with the texts that are not allowed.

        `columns` are the fields of columns in place of those of the draft.  Of each text the
        closest allowed value is proposed, unless one was chosen the last time.  The file is read
        once, with the corrections of its rows, as far as `ChoiceColumn` says.  A column that
        looks like passwords is left out.
        Raises what `preview` raises.
        """
        draft = self.draft(id)
        columns = draft.columns if columns is None else columns
        if draft.processor is None or columns is None:
            raise MappingError(_("Say first what fills the fields: no column has one yet."))
        processor, options = self._processor(draft.processor), ReadOptions(**draft.reading)
        header = self._header(draft.filename, options)
        fields, hidden = getFields(processor.iface), secret_columns(header)
        plans = {
            at: FieldPlan(fields[name], self.site)
            for at, name in enumerate(columns[: len(header)])
            if name is not None
            and at not in hidden
            and isinstance(fields.get(name), (schema.Choice, schema.Bool))
        }
        if not plans:
            return ()
        source = self._source(self._existing(draft.filename), options)
        found = foreign_texts(
            source.path,
            source.reading(options),
            draft.filename,
            plans,
            draft.mode or "",
            dict(draft.corrections),
        )
        decided = {field: dict(pairs) for field, pairs in draft.values}
        remembered = self.datacenter.ledger.mappings.memory(draft.processor).values
        return tuple(
            _choice_column(
                header[at],
                plan,
                found,
                at,
                decided.get(plan.name, {}),
                {text: token for (field, text), token in remembered.items() if field == plan.name},
            )
            for at, plan in plans.items()
        )

    # -- mappings with a name -----------------------------------------------------------

    def save_mapping(
        self,
        name: str,
        processor: str,
        columns: Iterable[tuple[str, str | None]],
        *,
        constants: Iterable[tuple[str, str]] = (),
        values: Values = (),
        replace: bool = False,
    ) -> SavedMapping:
        """Keep a mapping under a name, for all who may import the kind of objects.

        `columns` are pairs of the name of a column and its field, None where it is left out;
        `constants` and `values` are as in `Mapping`.  Raises `NameTaken`, unless it is to
        `replace` the mapping of that name, `InvalidName`, and `MappingError`.
        """
        self._require(MANAGE)
        known = self._processor(processor).available_fields
        kept = [(column, field) for column, field in columns if not is_ignored_column(column)]
        mapping = Mapping(tuple(field for _, field in kept), tuple(constants), values)
        unknown = [
            field
            for field in (*mapping.fields, *(field for field, _ in mapping.values))
            if field not in known
        ]
        if unknown:
            raise MappingError(
                _(
                    "${processor} has no field ${repr}. It has: ${known}.",
                    mapping={
                        "processor": processor,
                        "repr": ", ".join(map(repr, unknown)),
                        "known": ", ".join(known),
                    },
                )
            )
        self._refuse_secrets(processor, mapping.constants, mapping.values)
        saved = SavedMapping(
            check_mapping_name(name),
            processor,
            tuple(dict(kept).items()),
            mapping.constants,
            mapping.values,
            self.principal.id,
            datetime.now(timezone.utc),
        )
        self.datacenter.ledger.mappings_to_change().save(saved, replace=replace)
        header = tuple(column for column, _field in kept)
        notify(
            MappingMadeEvent(
                self.datacenter, "name", saved.name, "", processor, "", header, mapping
            )
        )
        self._log("saved: mapping %s of %s", saved.name, processor)
        return saved

    def saved_mappings(self, processor: str) -> list[SavedMapping]:
        """List the saved mappings of a kind of objects, by name."""
        self._require(MANAGE)
        self._processor(processor)
        return self.datacenter.ledger.mappings.saved(processor)

    def use_mapping(
        self, name: str, processor: str, file: str, options: ReadOptions = AS_FOUND
    ) -> FittedMapping:
        """Return a saved mapping as it fits the columns of a pending file, whatever their order.

        It is not checked whether all is filled that must be.  Raises `NoSuchItem`.
        """
        self._require(MANAGE)
        self._processor(processor)
        saved = self.datacenter.ledger.mappings.find(processor, name)
        return saved.fit(self._header(file, options))

    def drop_mapping(self, name: str, processor: str) -> None:
        """Forget a saved mapping; raises `NoSuchItem`."""
        self._require(MANAGE)
        self._processor(processor)
        self.datacenter.ledger.mappings_to_change().drop(processor, name)
        self._log("deleted: mapping %s of %s", name, processor)

    # -- helpers ------------------------------------------------------------------------

    def _guesses(self, header: Sequence[str], processor: str, mode: str) -> list[Guess]:
        """Return what fields of a kind of objects the columns of a table may fill."""
        found = self._processor(processor)
        fields = getFields(found.iface)
        titles = {
            name: in_all_languages(fields[name].title) if name in fields else ()
            for name in found.getHeaders(mode)
        }
        memory = self.datacenter.ledger.mappings.memory(processor)
        return guess_columns(without_exported(header, found), titles, memory.columns)

    def _remember(self, order: Order, header: Iterable[str]) -> None:
        """Remember what the columns and texts of an import are, to be proposed the next time.

        Columns that are left out of a removal, which needs few, may be needed elsewhere.
        """
        columns = [
            (column, field)
            for column, field in zip(header, order.columns, strict=False)
            if not is_ignored_column(column) and not (field is None and order.mode == REMOVE)
        ]
        self.datacenter.ledger.mappings_to_change().remember(
            order.processor, columns, order.values
        )


def _is_likely(kind: ProposedKind, header: Sequence[str]) -> bool:
    return kind.columns >= LEAST_COLUMNS and 2 * kind.columns > len(header)


def _likelihood(kind: ProposedKind) -> tuple[int, bool]:
    return kind.columns, kind.mode == CREATE


def _choice_column(
    column: str,
    plan: FieldPlan,
    found: Foreign,
    at: int,
    decided: dict[str, str],
    remembered: dict[str, str],
) -> ChoiceColumn:
    choices: tuple[tuple[str, str], ...] = ()
    looked_up = None
    if isinstance(plan.converter, ChoiceConverter):
        choices = tuple(plan.converter.choices().items())
        names = _names(choices)
        looked_up = plan.converter if plan.converter.is_looked_up else None
    elif isinstance(plan.field, schema.Bool):
        choices = (("1", "yes"), ("0", "no"))
        names = [*_YES_OR_NO, *_names(allowed_values(plan.field).items())]
    else:
        names = []
    guesser = TokenGuesser(names)
    texts = []
    for text, count in found.texts[at]:
        token = remembered.get(text.casefold())
        guess = (
            Guess(token, CONFIDENCE[REMEMBERED], REMEMBERED)
            if token is not None and _is_allowed(plan, token)
            else (
                guesser if looked_up is None else TokenGuesser(_names(looked_up.suggestions(text)))
            ).guess(text)
        )
        texts.append(ForeignText(text, count, decided.get(text), *guess))
    return ChoiceColumn(
        column,
        plan.name,
        tuple(texts),
        choices[:MOST_CHOICES],
        found.rows,
        found.is_whole,
        at in found.more,
    )


def _names(choices: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what a person may have meant by allowed values: tokens and titles, and the tokens."""
    return [
        (name, token) for token, title in choices for name in (token, *in_all_languages(title))
    ]


def in_all_languages(text: Any) -> tuple[str, ...]:
    """Return what a text says in each language that people may have written it in."""
    if not isinstance(text, Message):
        return (str(text),)
    said = (translate(text, target_language=language) for language in LANGUAGES)
    return tuple(dict.fromkeys(said))


def _is_allowed(plan: FieldPlan, token: str) -> bool:
    """Tell whether a token can be imported still; vocabularies change."""
    try:
        plan.convert(token, UPDATE, True)
    except Exception as exc:
        row_error(exc)
        return False
    return True
