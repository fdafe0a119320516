"""Step 3 of an import: which column fills which field, and what texts of choices stand for.

The form holds the whole mapping, and every button keeps it in the draft.  The script of the page
sends the form after each change (`part`), and gets the parts back that change with it; without
the script the buttons do the same.  `mappingforms` reads the form, `mappingfaults` tells what is
wrong with it, `mappingfields` and `mappingvalues` what the page shows of fields and of texts.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import grok
import transaction
from zope.browserpage import ViewPageTemplateFile

from waeup.kofa.browser.imports.mappingfaults import (
    Complaint,
    double_fields,
    missing_fields,
    orphans,
    seen_faults,
    told_faults,
)
from waeup.kofa.browser.imports.mappingfields import FieldWords
from waeup.kofa.browser.imports.mappingforms import Chosen, of_columns, seen_texts, sent_mapping
from waeup.kofa.browser.imports.mappingvalues import choices_of
from waeup.kofa.browser.imports.mappingwords import (
    Column,
    Constant,
    confidence_in,
    option,
    shortened,
    with_selected,
)
from waeup.kofa.browser.imports.parts import PartedStep
from waeup.kofa.browser.page import status_of
from waeup.kofa.conversion import Mapping, SavedMapping, Values
from waeup.kofa.errors import MappingError, NameTaken, Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.importing.preview import HIDDEN
from waeup.kofa.interfaces import IGNORE_COLUMN
from waeup.kofa.operations import ChoiceColumn

#: So many columns are searched rather than looked through.
MANY_COLUMNS = 15


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
        constant, missing = self.field_words.constant, missing_fields(chosen, self._required)
        self.missing = [constant(field, dict(chosen.pairs).get(field, "")) for field in missing]
        pairs = [(field, text) for field, text in chosen.pairs if text or field not in missing]
        self.constants = [*(constant(*pair) for pair in pairs), Constant("", "")]
        self.columns = self._columns(chosen)
        self.choices = choices_of(self._choice_columns, chosen)
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
            if self.field("remove_constant"):
                self.redirect(f"{self.address}#constants")

    def reset(self) -> None:
        """Go back to what the portal proposes."""
        self.save(columns=None, constants=(), values=(), left_alone=())
        self.go(3)

    def proceed(self) -> None:
        """Keep the mapping and go on, if it fits, and if all texts of choices were seen."""
        chosen = self.chosen
        seen = seen_texts(self.fields, chosen)
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
            values=of_columns(mapping.values, mapping.columns),
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

    def saved_text(self, saved: SavedMapping) -> str:
        """Say what a saved mapping is called, who has saved it, and when."""
        return f"{saved.name} ({saved.user}, {self.time(saved.date)})"

    def asked_text(self, name: str) -> str:
        """Say the same of the one that a question is about."""
        return next((self.saved_text(saved) for saved in self.saved if saved.name == name), name)

    # -- what is chosen ------------------------------------------------------------------

    @cached_property
    def chosen(self) -> Chosen:
        """The mapping as it is on the page: from the form, the draft, or a proposal."""
        if "headerfield" in self.request.form:
            return sent_mapping(self.fields, self.draft)
        draft = self.draft
        if draft.columns is not None:
            return Chosen(draft.columns, draft.constants, draft.values, draft.left_alone)
        return Chosen(tuple(guess.field for guess in self._guesses), (), (), ())

    def _keep(self) -> bool:
        """Keep the mapping in the draft; of one that is not complete only for the script."""
        chosen = self.chosen
        if orphans(chosen) and not self.is_part:
            self.response.setStatus(400)
            return False
        self.save(
            columns=chosen.columns,
            constants=tuple(pair for pair in chosen.constants if pair[0]),
            values=chosen.values,
            left_alone=chosen.left_alone,
        )
        return True

    # -- fields and columns --------------------------------------------------------------

    @cached_property
    def field_words(self) -> FieldWords:
        """The fields of the processor, with what explains them."""
        fields = self.operations.processor(self.processor.name).fields
        return FieldWords(fields, self._required, self.words)

    @property
    def _required(self) -> list[str]:
        return list(self.processor.required[self.draft.mode])

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
        fields = self.field_words
        options, secret = left_out + fields.options, fields.secret
        errors = double_fields(chosen, self.preview.header)
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
                    fields.all_about.get(field or "", ""),
                    confidence_in(field, guess),
                    errors.get(at, ""),
                )
            )
        return found

    @cached_property
    def _choice_columns(self) -> tuple[ChoiceColumn, ...]:
        return self.operations.choice_values(self.draft.id, self.chosen.columns)

    # -- what is wrong -------------------------------------------------------------------

    def _complaints(self, chosen: Chosen) -> list[Complaint]:
        """Return all that is wrong with a mapping."""
        header, required = self.preview.header, self._required
        complaints = seen_faults(chosen, header, required)
        if self.is_held:
            text = _("Some texts are no allowed values. Say what they stand for, and go on.")
            complaints.append(Complaint(text, "values"))
        return complaints + told_faults(chosen, header, required, self._refusals)

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

    @property
    def is_refused(self) -> bool:
        """Whether a button has not led on for what is wrong with the mapping."""
        return self.response.getStatus() == 400 and bool(self.complaints)

    @property
    def told(self) -> str:
        """What those hear who do not see the page change."""
        if not self.complaints:
            return self.words(_("Kept. All that must be filled is filled."))
        return " ".join(self.words(complaint.text) for complaint in self.complaints)
