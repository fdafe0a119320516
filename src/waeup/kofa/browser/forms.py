"""Forms made of schemas: what their fields show, and what was entered into them.

A page that changes settings or accounts says which fields of a schema its form has; text
becomes values by `waeup.kofa.conversion`, and what does not become a value is told at its
field.  The template puts ``structure python: view.show_fields(fields=...)`` into its form.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import grok
from zope import schema
from zope.browserpage import ViewPageTemplateFile
from zope.schema.interfaces import (
    IASCIILine,
    IBool,
    IChoice,
    IDate,
    IFloat,
    IInt,
    IPassword,
    IText,
    ITextLine,
)

from waeup.kofa.browser.page import FormPage
from waeup.kofa.conversion import FieldPlan, allowed_values
from waeup.kofa.errors import ConversionError, InvalidSettings, Outdated
from waeup.kofa.i18n import MessageFactory as _

#: What a box that is checked sends.
ON = "yes"

T = TypeVar("T")


class FormField(NamedTuple):
    """A field as the form shows it.

    `kind` is ``text``, ``lines``, ``flag`` or ``choice``; `type` that of an input.  `text` is
    what was entered, or else the present value; `choices` are pairs of text and title, `error`
    says what is wrong, '' if nothing is; `note` is said about the present value.
    """

    name: str
    title: Any
    description: Any
    kind: str
    type: str
    text: str
    choices: tuple[tuple[str, Any], ...]
    required: bool
    error: Any
    note: Any = ""

    @property
    def described_by(self) -> str | None:
        """The ids of what explains the field to a screen reader."""
        ids = [f"{self.name}-help"] if self.description else []
        ids += [f"{self.name}-note"] if self.note else []
        ids += [f"{self.name}-error"] if self.error else []
        return " ".join(ids) or None


class SchemaFormPage(FormPage):
    """A page whose form has fields of schemas.

    `errors` are texts by names of fields; a page adds what it finds wrong itself, and to `notes`
    what is to be said about present values.
    """

    grok.baseclass()

    #: Renders fields, with labels, help and errors.
    show_fields = ViewPageTemplateFile("fields.pt")

    def __init__(self, context: Any, request: Any) -> None:
        super().__init__(context, request)
        self.errors: dict[str, Any] = {}
        self.notes: dict[str, Any] = {}

    def form_fields(
        self, iface: Any, present: Any, names: Iterable[str] | None = None
    ) -> list[FormField]:
        """Return the fields of a schema with what was entered, or else with their values.

        `present` is an object, or a mapping, that has the present values.  Only fields of
        `names` are given, if those are said.
        """
        found = []
        # A form that was sent has all boxes; one that is not checked sends nothing.
        was_sent = self.was_sent
        for name, field in _fields(iface, names):
            kind, type_ = _kind(field)
            value = present.get(name) if isinstance(present, Mapping) else getattr(present, name)
            text = self.field(name) if was_sent else _text(field, value)
            if kind == "flag" and was_sent:
                text = ON if self.field(name) else ""
            found.append(
                FormField(
                    name,
                    field.title,
                    field.description,
                    kind,
                    type_,
                    text,
                    _choices(field) if kind == "choice" else (),
                    bool(field.required),
                    self.errors.get(name, ""),
                    self.notes.get(name, ""),
                )
            )
        return found

    @property
    def was_sent(self) -> bool:
        """Whether a button of the form was pressed."""
        return any(name in self.request.form for name in self.buttons)

    def entered(self, iface: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
        """Return the values that were entered; what cannot be one goes to `errors`."""
        values: dict[str, Any] = {}
        for name, field in _fields(iface, names):
            if IBool.providedBy(field):
                values[name] = bool(self.field(name))
                continue
            text = self.field(name)
            text = text if IPassword.providedBy(field) else text.strip()
            if not text:
                if field.required:
                    self.errors[name] = _("Please fill in this field.")
                else:
                    values[name] = field.missing_value
                continue
            try:
                values[name] = FieldPlan(field).convert(text, "create", False)
            except ConversionError as error:
                self.errors[name] = error.message
        return values

    def say_errors(self) -> bool:
        """Say on the page that fields are wrong, if any is; return whether."""
        if self.errors:
            self.response.setStatus(400)
            self.say(_("Nothing was changed: see what is said at the fields."), "danger")
        return bool(self.errors)

    def tried(
        self, change: Callable[[], T], tell_present: Callable[[], object] | None = None
    ) -> T | None:
        """Return what `change` does with what was entered; None where that is refused, and said.

        Where somebody else was quicker, `tell_present` shows what is there now.
        """
        try:
            return change()
        except InvalidSettings as error:
            self.errors.update(error.wrong)
            self.say_errors()
        except Outdated as outdated:
            self.response.setStatus(409)
            self.say(outdated, "danger")
            if tell_present is not None:
                tell_present()
        return None

    def tell_present(self, present: Any, entered: Mapping[str, Any]) -> None:
        """Say beside each field what `present` has, where something else was entered."""
        for name, value in entered.items():
            now = getattr(present, name)
            if now != value:
                text = now or self.words(_("none"))
                self.notes[name] = _("Set now: ${value}.", mapping={"value": text})


def _fields(iface: Any, names: Iterable[str] | None) -> list[tuple[str, Any]]:
    found = dict(schema.getFieldsInOrder(iface))
    return list(found.items()) if names is None else [(name, found[name]) for name in names]


def _kind(field: Any) -> tuple[str, str]:
    """Return how a field is shown, and the type of its input."""
    if IBool.providedBy(field):
        return "flag", "checkbox"
    if IChoice.providedBy(field):
        return "choice", ""
    if IPassword.providedBy(field):
        return "text", "password"
    if IDate.providedBy(field):
        return "text", "date"
    if IInt.providedBy(field) or IFloat.providedBy(field):
        return "text", "number"
    is_line = ITextLine.providedBy(field) or IASCIILine.providedBy(field)
    if IText.providedBy(field) and not is_line:
        return "lines", ""
    return "text", "text"


def _text(field: Any, value: Any) -> str:
    if IBool.providedBy(field):
        return ON if value else ""
    if value is None or IPassword.providedBy(field):
        return ""
    return FieldPlan(field).render(value, safe=False)


def _choices(field: Any) -> tuple[tuple[str, Any], ...]:
    return tuple(allowed_values(field.bind(None)).items())
