"""Step 3 of an import: which column fills which field, and what texts of choices stand for.

The form holds the whole mapping, and every button keeps it in the draft.  The script of the page
sends the form after each change (`part`), and gets the parts back that change with it; without
the script the buttons do the same.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from html import escape
from typing import Any, NamedTuple

import grok
import transaction
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.imports.mappingwords import (
    CHOSEN,
    Choices,
    Column,
    Constant,
    Replaced,
    confidence_in,
    confidence_in_value,
    key_of,
    option,
    shortened,
    text_of,
    token_options,
    with_selected,
)
from waeup.kofa.browser.imports.parts import PartedStep
from waeup.kofa.browser.page import status_of
from waeup.kofa.conversion import Mapping, SavedMapping, Values
from waeup.kofa.errors import MappingError, NameTaken, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.preview import HIDDEN
from waeup.kofa.interfaces import IGNORE_COLUMN
from waeup.kofa.operations import ChoiceColumn, FieldInfo, ForeignText

#: Pairs of field and text; on its way from the form, each of them may be ''.
Constants = tuple[tuple[str, str], ...]

#: Options of all lists of one column of choices together; with more a token is typed.
MOST_OPTIONS = 6000
#: So many columns are searched rather than looked through.
MANY_COLUMNS = 15


class Chosen(NamedTuple):
    """What the officer has chosen, by the form or, before, by the draft.

    `pairs` are the constants with those that are not complete.
    """

    columns: tuple[str | None, ...]
    pairs: Constants
    values: Values
    left_alone: Constants

    @property
    def constants(self) -> Constants:
        """The constants that have a text."""
        return tuple((field, text) for field, text in self.pairs if text)

    @property
    def filled(self) -> set[str | None]:
        """The fields that something fills."""
        return {*self.columns, *(field for field, _text in self.constants)}


class Complaint(NamedTuple):
    """What is wrong with a mapping, and the id of the place where it is put right."""

    text: Any
    place: str


class Import3(PartedStep):
    """Step 3: say which column fills which field, and what all rows have in common."""

    grok.name("import3")
    grok.require("waeup.manageDataCenter")

    step = 3
    needs = {"processor": 2}
    ignore = IGNORE_COLUMN
    buttons = {
        "proceed": "proceed",
        "update": "check",
        "keep": "check",
        "reset": "reset",
        "back2": "back",
        "cancel": "cancel",
        "remove_constant": "check",
        "use_mapping": "use_mapping",
        "save_mapping": "save_mapping",
        "yes_replace": "save_mapping",
        "drop_mapping": "ask_to_drop",
        "yes_drop": "drop_mapping",
    }

    #: What is missing and wrong; constants; texts of choices: parts that change with the mapping.
    show_state = ViewPageTemplateFile("mapping_state.pt")
    show_constants = ViewPageTemplateFile("mapping_constants.pt")
    show_constant = ViewPageTemplateFile("mapping_constant.pt")
    show_values = ViewPageTemplateFile("mapping_values.pt")

    #: Names of saved mappings that are to be replaced, or deleted, if the officer says yes.
    to_replace = ""
    to_drop = ""
    #: Texts of choices that nobody has seen yet keep the officer here.
    is_held = False

    def show_parts(self) -> str:
        """See `PartedStep`."""
        return "".join((self.show_state(), self.show_constants(), self.show_values()))

    def prepare(self) -> None:
        """Show columns with their fields, what is missing or wrong, constants and texts."""
        chosen = self.chosen
        missing = self._missing(chosen)
        self.missing = [
            self._constant(field, dict(chosen.pairs).get(field, "")) for field in missing
        ]
        pairs = [(field, text) for field, text in chosen.pairs if text or field not in missing]
        self.constants = [*(self._constant(*pair) for pair in pairs), Constant("", "")]
        self.columns = self._columns(chosen)
        self.choices = self._choices(chosen)
        self.complaints = self._complaints(chosen)
        # What the kind asks for although all fields with a mark are there: one of several.
        nothing = (None,) * len(self.preview.header)
        self.demands = self._refusals(nothing, ((field, "") for field in self._required))
        self.saved = self.operations.saved_mappings(self.draft.processor)

    # -- buttons -----------------------------------------------------------------------

    def check(self) -> None:
        """Keep the mapping, whether it fits already or not; save it, if it was given a name."""
        if self.field("mapping_name").strip() and not self.is_part:
            self.save_mapping()
        elif self._keep():
            self.go(3)

    def reset(self) -> None:
        """Go back to what the portal proposes."""
        self.save(columns=None, constants=(), values=(), left_alone=())
        self.go(3)

    def proceed(self) -> None:
        """Keep the mapping and go on, if it fits, and if all texts of choices were seen."""
        chosen = self.chosen
        sent = zip(self.fields("valuefield"), self.fields("valuetext"), strict=False)
        seen = {(field, text_of(key)) for field, key in sent}
        seen.update(chosen.left_alone)
        seen.update((field, text) for field, pairs in chosen.values for text, _token in pairs)
        self.is_held = any(
            (column.field, found.text) not in seen
            for column in self._choice_columns
            for found in column.texts
        )
        if self.is_held or self._complaints(chosen):
            self.response.setStatus(400)
        else:
            self._keep()
            self.go(4)

    def back(self) -> None:
        """Choose another processor."""
        self.go(2)

    # -- saved mappings ------------------------------------------------------------------

    def use_mapping(self) -> None:
        """Use a saved mapping in place of this one; say what it does not find."""
        name = self.field("mapping")
        if not name:
            raise MappingError(_("Choose a saved mapping first."))
        draft = self.draft
        fitted = self.operations.use_mapping(name, draft.processor, draft.filename, self.options)
        mapping = fitted.mapping
        self.save(
            columns=mapping.columns,
            constants=mapping.constants,
            values=_of_columns(mapping.values, mapping.columns),
            left_alone=(),
        )
        self.flash(_("The mapping ${name} is used.", mapping={"name": f"“{name}”"}))
        if fitted.missing:
            names = ", ".join(f"{column} ({field})" for column, field in fitted.missing)
            self.flash(
                _(
                    "The file does not have these columns of the mapping: ${names}.",
                    mapping={"names": names},
                ),
                "warning",
            )
        if fitted.new:
            self.flash(
                _(
                    "The mapping does not know these columns of the file; they are left out: "
                    "${names}.",
                    mapping={"names": ", ".join(fitted.new)},
                ),
                "warning",
            )
        self.go(3)

    def save_mapping(self) -> None:
        """Keep the mapping under a name, for everybody; ask before another one is replaced."""
        name, chosen, draft = self.field("mapping_name").strip(), self.chosen, self.draft
        try:
            saved = self.operations.save_mapping(
                name,
                draft.processor,
                zip(self.preview.header, chosen.columns, strict=False),
                constants=chosen.constants,
                values=chosen.values,
                replace=bool(name) and self.field("yes_replace") == name,
            )
        except NameTaken as taken:
            # A refusal promises that nothing was changed; this keeps the promise.
            transaction.abort()
            self.to_replace = name
            self.response.setStatus(status_of(taken))
            return
        if self._keep():
            self.flash(_("The mapping is saved as ${name}.", mapping={"name": f"“{saved.name}”"}))
            self.go(3)

    def ask_to_drop(self) -> None:
        """Ask whether a saved mapping is to be deleted."""
        self.to_drop = self.field("mapping")
        if not self.to_drop:
            raise MappingError(_("Choose a saved mapping first."))

    def drop_mapping(self) -> None:
        """Delete a saved mapping; what is on the page stays."""
        name = self.field("yes_drop")
        self.operations.drop_mapping(name, self.draft.processor)
        if self._keep():
            self.flash(_("The mapping ${name} is deleted.", mapping={"name": f"“{name}”"}))
            self.go(3)

    # -- what is chosen ------------------------------------------------------------------

    @cached_property
    def chosen(self) -> Chosen:
        """The mapping as it is on the page: from the form, the draft, or a proposal."""
        if "headerfield" in self.request.form:
            return self._sent()
        draft = self.draft
        if draft.columns is not None:
            return Chosen(draft.columns, draft.constants, draft.values, draft.left_alone)
        return Chosen(tuple(guess.field for guess in self._guesses), (), (), ())

    def _sent(self) -> Chosen:
        """Return the mapping of the form."""
        columns = [
            None if field in ("", self.ignore) else field for field in self.fields("headerfield")
        ]
        for field, at in zip(
            self.fields("missingfield"), self.fields("missingcolumn"), strict=False
        ):
            if at.isdecimal() and len(at) < 6 and int(at) < len(columns):
                columns[int(at)] = field
        pairs = list(zip(self.fields("constantfield"), self.fields("constant"), strict=False))
        removed = self.field("remove_constant")
        if removed.isdecimal() and len(removed) < 6:
            del pairs[int(removed) : int(removed) + 1]
        # What was missing had a line without being a constant.
        offered = set(self.fields("missingfield"))
        begun = tuple(pair for pair in pairs if pair[1] or (pair[0] and pair[0] not in offered))
        return Chosen(tuple(columns), begun, *self._sent_values(columns))

    def _sent_values(self, columns: Sequence[str | None]) -> tuple[Values, Constants]:
        """Return what texts stand for: as the form says, and as was said before of others."""
        tokens = {
            (field, text): token for field, pairs in self.draft.values for text, token in pairs
        }
        left_alone = set(self.draft.left_alone)
        for field, key, token in zip(
            self.fields("valuefield"),
            self.fields("valuetext"),
            self.fields("value"),
            strict=False,
        ):
            text = text_of(key)
            if token.strip():
                tokens[field, text] = token.strip()
                left_alone.discard((field, text))
            else:
                tokens.pop((field, text), None)
                left_alone.add((field, text))
        values: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for (field, text), token in tokens.items():
            values[field].append((text, token))
        sent = tuple((field, tuple(sorted(pairs))) for field, pairs in sorted(values.items()))
        return _of_columns(sent, columns), tuple(
            sorted(pair for pair in left_alone if pair[0] in columns)
        )

    def _keep(self) -> bool:
        """Keep the mapping in the draft; of one that is not complete only for the script."""
        chosen = self.chosen
        if self._orphans(chosen) and not self.is_part:
            self.response.setStatus(400)
            return False
        self.save(
            columns=chosen.columns,
            constants=tuple(pair for pair in chosen.constants if pair[0]),
            values=chosen.values,
            left_alone=chosen.left_alone,
        )
        return True

    # -- fields --------------------------------------------------------------------------

    @cached_property
    def fields_by_name(self) -> dict[str, FieldInfo]:
        """The fields of the processor, with what explains them."""
        name = self.processor.name
        return {info.name: info for info in self.operations.processor(name).fields}

    @property
    def _required(self) -> list[str]:
        return list(self.processor.required[self.draft.mode])

    def named(self, field: str) -> str:
        """Return what a field is called: title and name, marked if it must be filled."""
        info = self.fields_by_name.get(field)
        title = self.words(info.title) if info is not None else ""
        mark = " *" if field in self._required else ""
        return f"{title} ({field}){mark}" if title and title != field else f"{field}{mark}"

    def about(self, field: str | None) -> str:
        """Return type and description of a field in one line."""
        info = self.fields_by_name.get(field or "")
        if info is None:
            return ""
        kind, description = self.words(info.kind), self.words(info.description)
        parts = [kind[:1].upper() + kind[1:], description.rstrip(".")]
        text = ". ".join(part for part in parts if part) + "."
        if info.example and not info.choices:
            text += f" {self.words(_('For example'))}: {info.example}"
        return text

    @cached_property
    def field_options(self) -> str:
        """The fields as options of a list, those that must be filled first."""
        required = self._required
        return "".join(
            f'<optgroup label="{escape(self.words(label))}">'
            + "".join(option(name, self.named(name)) for name in names)
            + "</optgroup>"
            for label, names in (
                (_("Must be filled"), [name for name in self.fields_by_name if name in required]),
                (_("Others"), [name for name in self.fields_by_name if name not in required]),
            )
            if names
        )

    @cached_property
    def constant_options(self) -> str:
        """The fields that can be the same in all rows, as options of a list."""
        fields = self.fields_by_name
        return "".join(
            option(name, self.named(name)) for name, info in fields.items() if not info.secret
        )

    @property
    def all_about(self) -> list[tuple[str, str]]:
        """Pairs of fields and of what explains them, for the script."""
        return [(name, self.about(name)) for name in self.fields_by_name]

    @cached_property
    def column_options(self) -> str:
        """The columns as options of a list, with what they fill now."""
        chosen = self.chosen.columns
        return "".join(
            option(str(at), f"{name} ({field})" if field else name)
            for at, name in enumerate(self.preview.header)
            for field in (chosen[at] if at < len(chosen) else None,)
        )

    @property
    def is_long(self) -> bool:
        """Whether there are so many columns that one wants to search them."""
        return len(self.preview.header) >= MANY_COLUMNS

    @cached_property
    def _guesses(self) -> tuple[Any, ...]:
        return self.operations.propose_columns(self.preview, self.draft.processor, self.draft.mode)

    def _columns(self, chosen: Chosen) -> list[Column]:
        """Return the columns of the file as they are shown."""
        left_out = option(self.ignore, self.words(_("leave this column out")))
        options = left_out + self.field_options
        errors = self._double(chosen)
        secret = {info.name for info in self.fields_by_name.values() if info.secret}
        about = {name: self.about(name) for name in self.fields_by_name}
        found = []
        for at, guess in enumerate(self._guesses):
            field = chosen.columns[at] if at < len(chosen.columns) else None
            samples = [row[at] for row in self.preview.samples]
            if field in secret:
                samples = [HIDDEN] * len(samples)
            found.append(
                Column(
                    at + 1,
                    guess.column,
                    tuple(map(shortened, samples)),
                    field,
                    options if field is None else with_selected(options, field),
                    about.get(field or "", ""),
                    confidence_in(field, guess),
                    errors.get(at, ""),
                )
            )
        return found

    def _constant(self, field: str, text: str) -> Constant:
        info = self.fields_by_name.get(field)
        if info is None:
            return Constant(field, text)
        options = ""
        if info.choices and not info.more_choices:
            options = token_options(info.choices, text)
        return Constant(field, text, self.named(field), self.about(field), options)

    # -- texts of choices -----------------------------------------------------------------

    @cached_property
    def _choice_columns(self) -> tuple[ChoiceColumn, ...]:
        return self.operations.choice_values(self.draft.id, self.chosen.columns)

    def _choices(self, chosen: Chosen) -> list[Choices]:
        """Return the columns that fill choices and have texts that are no allowed value."""
        decided = {field: dict(pairs) for field, pairs in chosen.values}
        found = []
        for number, column in enumerate(self._choice_columns, 1):
            if not column.texts:
                continue
            is_typed = not column.choices or (
                len(column.choices) * len(column.texts) > MOST_OPTIONS
            )
            texts = [
                self._replaced(
                    f"value-{number}-{at}",
                    text,
                    decided.get(column.field, {}).get(text.text),
                    (column.field, text.text) in chosen.left_alone,
                    () if is_typed else column.choices,
                )
                for at, text in enumerate(column.texts, 1)
            ]
            typed = token_options(column.choices, "") if is_typed else ""
            found.append(Choices(column.column, column.field, column, texts, typed))
        return found

    def _replaced(
        self,
        id: str,
        found: ForeignText,
        decided: str | None,
        is_left: bool,
        choices: tuple[tuple[str, str], ...],
    ) -> Replaced:
        proposed = None if is_left else found.proposed
        token = decided if decided is not None else proposed or ""
        confidence = None
        if token and token == found.proposed:
            confidence = confidence_in_value(found)
        elif token:
            confidence = CHOSEN
        return Replaced(
            id,
            found.text,
            key_of(found.text),
            found.count,
            token,
            token_options(choices, token) if choices else "",
            confidence,
        )

    # -- what is wrong -------------------------------------------------------------------

    def _missing(self, chosen: Chosen) -> list[str]:
        """Return the fields that must be filled, and that nothing fills."""
        return [field for field in self._required if field not in chosen.filled]

    def _orphans(self, chosen: Chosen) -> list[str]:
        """Return the constant texts that no field was chosen for."""
        return [text for field, text in chosen.constants if not field]

    def _double(self, chosen: Chosen) -> dict[int, Any]:
        """Return, by the positions of columns, what is wrong where a field is filled twice."""
        header, constants = self.preview.header, dict(chosen.constants)
        by_field: dict[str, list[int]] = defaultdict(list)
        for at, field in enumerate(chosen.columns[: len(header)]):
            if field is not None:
                by_field[field].append(at)
        errors: dict[int, Any] = {}
        for field, places in by_field.items():
            for at in places:
                others = ", ".join(header[other] for other in places if other != at)
                if others:
                    errors[at] = _(
                        "${field} is filled by this column and by: ${others}. Choose another "
                        "field for one of them, or leave it out.",
                        mapping={"field": field, "others": others},
                    )
                elif field in constants:
                    errors[at] = _(
                        "${field} is filled by this column and by a text for all rows. Leave "
                        "one of them out.",
                        mapping={"field": field},
                    )
        return errors

    def _complaints(self, chosen: Chosen) -> list[Complaint]:
        """Return all that is wrong with a mapping."""
        missing = self._missing(chosen)
        complaints = [
            Complaint(
                _(
                    "Choose the field that '${text}' is to fill, or empty the line.",
                    mapping={"text": text},
                ),
                "constants",
            )
            for text in self._orphans(chosen)
        ]
        if missing:
            complaints.append(
                Complaint(
                    _(
                        "Not filled yet: ${fields}. Choose a column for each, or give it one "
                        "text for all rows.",
                        mapping={"fields": ", ".join(missing)},
                    ),
                    "missing",
                )
            )
        double = self._double(chosen)
        if double:
            fields = dict.fromkeys(chosen.columns[at] or "" for at in double)
            complaints.append(
                Complaint(
                    _(
                        "Double headers: filled more than once: ${fields}.",
                        mapping={"fields": ", ".join(fields)},
                    ),
                    f"field-{min(double) + 1}",
                )
            )
        if self.is_held:
            complaints.append(
                Complaint(
                    _("Some texts are no allowed values. Say what they stand for, and go on."),
                    "values",
                )
            )
        # As if all were filled, and only once, so that the rest is told at the same time.
        columns = tuple(None if at in double else field for at, field in enumerate(chosen.columns))
        filled = {field: text for field, text in chosen.constants if field}
        filled.update((chosen.columns[at] or "", "") for at in double)
        filled.update((field, "") for field in missing)
        refusals = self._refusals(columns, filled.items())
        complaints += [Complaint(text, "columns") for text in refusals]
        if not refusals:
            refusals = self._refusals(columns, filled.items(), chosen.values)
            complaints += [Complaint(text, "values") for text in refusals]
        return complaints

    def _refusals(
        self,
        columns: tuple[str | None, ...],
        constants: Iterable[tuple[str, str]],
        values: Values = (),
    ) -> list[str]:
        """Return what the processor says against a mapping, if anything."""
        draft = self.draft
        try:
            mapping = Mapping(columns, tuple(constants), values)
            self.operations.check(
                draft.filename, draft.processor, draft.mode, mapping, self.options
            )
        except Refused as refusal:
            return [self.words(refusal)]
        return []

    @property
    def guesses(self) -> list[Complaint]:
        """What is proposed by a guess, to be looked at; it is not wrong for that."""
        columns = [
            Complaint(f"{column.header} → {column.field}", f"field-{column.number}")
            for column in self.columns
            if column.field and column.confidence.is_guess
        ]
        texts = [
            Complaint(f"{text.text} → {text.token}", text.id)
            for column in self.choices
            for text in column.texts
            if text.confidence is not None and text.confidence.is_guess
        ]
        return columns + texts

    def saved_text(self, saved: SavedMapping) -> str:
        """Say what a saved mapping is called, who has saved it, and when."""
        day = saved.date.astimezone().strftime("%Y-%m-%d")
        return f"{saved.name} ({saved.user}, {day})"

    @property
    def told(self) -> str:
        """What those hear who do not see the page change."""
        if not self.complaints:
            return self.words(_("Kept. All that must be filled is filled."))
        return " ".join(self.words(complaint.text) for complaint in self.complaints)


def _of_columns(values: Values, columns: Iterable[str | None]) -> Values:
    """Return those of `values` whose field a column fills."""
    fields = set(columns)
    return tuple((field, pairs) for field, pairs in values if field in fields)
