"""Operations on the data center itself: its logs, its place, and the settings of the portal."""

import hashlib
import math
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from zope import schema
from zope.component import getGlobalSiteManager
from zope.schema.interfaces import ValidationError

from waeup.kofa import letters, notices
from waeup.kofa.configuration import (
    MAX_TOKEN_DAYS,
    MEGABYTE,
    SECTIONS,
    configuration_of,
    ensure_configuration,
)
from waeup.kofa.errors import InvalidSettings, NoSuchItem, Outdated
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.i18n import Number, english
from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.jobs import keeping
from waeup.kofa.jobs.job import close
from waeup.kofa.jobs.record import CHECK, EXPORT, FINISHED, STOPPED, Run, utc_now
from waeup.kofa.jobs.recovery import RUN_DAYS
from waeup.kofa.operations.files import FileOperations
from waeup.kofa.rights import MANAGE_PORTAL
from waeup.kofa.tabular import Limits
from waeup.kofa.transactional import on_commit
from waeup.kofa.usual import CHANGE_SHARE, EXPORT_HOURS, REMOVE_SHARE, UNDO_DAYS, UPLOAD_LIMIT


@dataclass(frozen=True)
class Setting:
    """A setting of a section, as it is in force.

    `value` is what was set here, or None; `in_force` what counts, None where there is no limit.
    `source` says where that is from: ``here``, ``start`` (of the server) or ``usual``.  More than
    `most` cannot be set here, nor counts, since the start of the server says so.  `otherwise`
    would count if nothing were set here.
    """

    name: str
    title: str
    value: Any
    in_force: Any
    source: str
    most: Any = None
    otherwise: Any = None

    @property
    def is_cut(self) -> bool:
        """Whether more is set here than the start of the server allows (any more)."""
        return self.most is not None and self.value is not None and self.value > self.most


@dataclass(frozen=True)
class Section:
    """A section of the settings.

    `version` is to be sent along with a change: it tells what the change was made for.  `user`
    has changed the section last, at `date`; both are None where nobody has.
    """

    name: str
    version: str
    settings: tuple[Setting, ...]
    user: str | None = None
    date: datetime | None = None

    def values(self) -> dict[str, Any]:
        """What is set here, by name; of yes or no, what is in force."""
        return {
            each.name: each.in_force if isinstance(each.in_force, bool) else each.value
            for each in self.settings
        }


@dataclass(frozen=True)
class Forgotten:
    """What a retention would delete next, and how many items.

    `name` is that of the setting; ``deleted_rows`` are tables in ``deleted`` that lose rows.
    """

    name: str
    number: int


@dataclass(frozen=True)
class LetterTexts:
    """The texts of a message in a language; `is_own` says that they are not the usual ones."""

    name: str
    language: str
    subject: str
    text: str
    is_own: bool
    version: str


class SettingsOperations(FileOperations):
    """See `waeup.kofa.operations.Operations`."""

    def storage_path(self) -> str:
        """Return the absolute path of the folder that files are kept in."""
        self._require(MANAGE_PORTAL)
        return self.datacenter.storage

    def set_storage_path(self, path: str) -> None:
        """Keep files below `path` from now on, without any that are there now.

        Raises `InvalidStoragePath` for a folder that cannot be used, and `ItemBusy`
        while a run has rows in the present one.
        """
        self._require(MANAGE_PORTAL)
        datacenter = self.datacenter
        if not os.path.isdir(datacenter.storage):
            # The storage is lost, and with it what was to be put into its place.
            for intent in list(datacenter.ledger.intended()):
                datacenter.ledger.done(intent)
            for run in datacenter.runs:
                if run.is_active or run.holds_file or run.state == STOPPED:
                    run.give_up(english(_("The storage was lost, and another one was set.")))
                    close(datacenter, run)
                    self._log_run("given up: %s of %s", run)
        datacenter.setStoragePath(path)

    # -- settings -----------------------------------------------------------------------

    def settings(self, section: str) -> Section:
        """Return a section of the settings: ``portal``, ``limits``, ``retention`` or ``mail``."""
        self._require(MANAGE_PORTAL)
        iface, config = _schema(section), configuration_of(self.site)
        config._p_activate()
        process = getGlobalSiteManager().queryUtility(IDataCenterConfig, default={})
        found = tuple(
            _setting(name, field, config, process)
            for name, field in schema.getFieldsInOrder(iface)
        )
        user, date = config.changed.get(section, (None, None))
        return Section(section, _version(found), found, user, date)

    def change_settings(
        self, section: str, values: Mapping[str, Any], version: str | None = None
    ) -> list[str]:
        """Change settings of a section; return the names of those that are others now.

        None takes back what was set here.  `version` is that of the `Section` which the change was
        made for; one that is changed meanwhile is not overwritten (`Outdated`).  Raises
        `InvalidSettings`, then nothing is changed.
        """
        present = self.settings(section)
        if version is not None and version != present.version:
            raise Outdated(
                _(
                    "${user} has changed these settings meanwhile. Nothing was changed: look at "
                    "what is set now, and save yours again if they are right.",
                    mapping={"user": present.user or "?"},
                )
            )
        values = _with_floats(section, values)
        _check(section, present, values)
        config, former = ensure_configuration(self.site), present.values()
        changed = [name for name, value in values.items() if value != former[name]]
        for name in changed:
            setattr(config, name, values[name])
            self._log(
                "setting changed: %s: %s -> %s", name, _logged(former[name]), _logged(values[name])
            )
        if changed:
            config.changed = {**config.changed, section: (self.principal.id, utc_now())}
        return changed

    def forgotten_next(self, values: Mapping[str, Any] | None = None) -> list[Forgotten]:
        """Say what the retention would delete next: as it is, or with other `values` set here.

        Raises `InvalidSettings` for values that cannot be set.
        """
        present = self.settings("retention")
        values = _with_floats("retention", values or {})
        _check("retention", present, values)
        in_force = {setting.name: setting.in_force for setting in present.settings}
        usual = {s.name: s.in_force for s in self._without("retention").settings}
        for name, value in values.items():
            in_force[name] = usual[name] if value is None else value
        counted = {**self._count_files(in_force), **self._count_runs(in_force)}
        return [Forgotten(name, number) for name, number in counted.items() if number]

    def _without(self, section: str) -> Section:
        """Return a section as it would be if nothing were set here."""
        process = getGlobalSiteManager().queryUtility(IDataCenterConfig, default={})
        fields = schema.getFieldsInOrder(_schema(section))
        found = tuple(_setting(name, field, None, process) for name, field in fields)
        return Section(section, "", found)

    def _count_files(self, in_force: Mapping[str, Any]) -> dict[str, int]:
        """Count the files that are kept for longer, and tables of which rows are."""
        old = keeping.old_files(
            self.datacenter,
            {folder: in_force[name] for folder, name in keeping.SETTINGS.items()},
        )
        counted = Counter(keeping.SETTINGS[os.path.dirname(path)] for _item, path, _days in old)
        days = in_force["deleted_days"]
        tables = 0 if days is None else keeping.tables_with_old_rows(self.datacenter, days)
        return {**counted, "deleted_rows": tables}

    def _count_runs(self, in_force: Mapping[str, Any]) -> dict[str, int]:
        """Count the runs of which something is kept longer than that."""

        def is_old(run: Run, **age: float) -> bool:
            return run.ended is not None and utc_now() - run.ended > timedelta(**age)

        undos = runs = exports = 0
        for run in self.datacenter.runs:
            if run.order.kind == CHECK:
                continue  # it has days of its own
            if run.order.kind == EXPORT:
                is_kept = run.state == FINISHED
                exports += is_kept and is_old(run, hours=in_force["export_hours"])
                continue
            undos += run.can_be_undone and is_old(run, days=in_force["undo_days"])
            runs += not run.holds_file and is_old(run, days=in_force["run_days"])
        return {"undo_days": undos, "run_days": runs, "export_hours": exports}

    # -- mail ---------------------------------------------------------------------------

    def mail_queue(self) -> notices.MailQueue:
        """Return how mail is set up, and which messages wait."""
        self._require(MANAGE_PORTAL)
        return notices.queue()

    def send_test_message(self) -> str:
        """Send a message to the person who asks; return the address."""
        self._require(MANAGE_PORTAL)
        account = self.site["users"].get(self.principal.id)
        if account is None:
            raise NoSuchItem(
                _(
                    "${user} has no account in this portal, thus no e-mail address. Log in with "
                    "an account of the portal.",
                    mapping={"user": self.principal.id},
                )
            )
        address = notices.send_test(self.site, account)
        self._log("test message sent")
        return address

    def send_message_again(self, id: str) -> None:
        """Let a message be sent once more that the mail server has refused."""
        self._require(MANAGE_PORTAL)
        notices.refused_message(id)
        on_commit(partial(notices.send_again, id))
        self._log("message sent again: %s", id)

    def discard_message(self, id: str) -> None:
        """Remove a message that the mail server has refused, for good."""
        self._require(MANAGE_PORTAL)
        notices.refused_message(id)
        on_commit(partial(notices.discard, id))
        self._log("message discarded: %s", id)

    def letter_texts(self, name: str, language: str) -> LetterTexts:
        """Return the texts of a message in a language."""
        self._require(MANAGE_PORTAL)
        letter = letters.letter_named(name)
        letters.require_language(language)
        texts = letters.texts_of(self.site, letter, language)
        is_own = (name, language) in configuration_of(self.site).letters
        return LetterTexts(name, language, *texts, is_own, _digest(texts))

    def set_letter_texts(
        self, name: str, language: str, subject: str, text: str, version: str | None = None
    ) -> None:
        """Set the texts of a message in a language.

        Raises `InvalidSettings` for what cannot be sent, and `Outdated`; see `change_settings`.
        """
        self._require_present(name, language, version)
        letter = letters.letter_named(name)
        subject, text = subject.strip(), text.replace("\r\n", "\n").strip()
        letters.check_texts(letter, subject, text)
        config = ensure_configuration(self.site)
        written = letters.Written(subject, text)
        if written == letters.usual_texts(letter, language):
            self._forget_letter(name, language)
            return
        config.letters = {**config.letters, (name, language): (subject, text)}
        self._log("mail template changed: %s, language=%s", name, language)

    def reset_letter_texts(self, name: str, language: str, version: str | None = None) -> None:
        """Let a message have its usual texts in a language."""
        self._require_present(name, language, version)
        self._forget_letter(name, language)

    def preview_letter(self, name: str, language: str, subject: str, text: str) -> letters.Written:
        """Return what a message looks like; raises `InvalidSettings` as `set_letter_texts`."""
        self._require(MANAGE_PORTAL)
        letter = letters.letter_named(name)
        letters.require_language(language)
        letters.check_texts(letter, subject, text)
        own = {"portal": self.site.title, "acronym": self.site.acronym}
        words = {**letters.examples(letter), **own}
        texts = letters.Written(subject, text.replace("\r\n", "\n"))
        return letters.write(texts, words, language)

    def _forget_letter(self, name: str, language: str) -> None:
        config = ensure_configuration(self.site)
        if (name, language) in config.letters:
            kept = {key: texts for key, texts in config.letters.items() if key != (name, language)}
            config.letters = kept
            self._log("mail template reset: %s, language=%s", name, language)

    def _require_present(self, name: str, language: str, version: str | None) -> None:
        """Raise `Outdated` when the texts are not those that a change was made for."""
        if version not in (None, self.letter_texts(name, language).version):
            raise Outdated(
                _(
                    "Somebody has changed this message meanwhile. Nothing was changed: look at "
                    "what it says now, and save your text again if it is right."
                )
            )


def _schema(section: str) -> Any:
    if section not in SECTIONS:
        raise NoSuchItem(
            _(
                "There is no section ${name} of the settings. There are: ${names}.",
                mapping={"name": repr(section), "names": ", ".join(SECTIONS)},
            )
        )
    return SECTIONS[section]


def _setting(name: str, field: Any, config: Any, process: Any) -> Setting:
    """Return how a setting is; without `config` as if nothing were set here."""
    said, usual, most = _from_start(name, process)
    is_set = config is not None and name in config.__dict__ and getattr(config, name) is not None
    value = getattr(config, name) if is_set else None
    if config is not None and not is_set and field.required:
        # Fields without an empty value show what is usual.
        value = getattr(config, name)
        return Setting(name, field.title, value, value, "usual")
    if usual is None:
        usual = field.default
    if value is not None:
        in_force = value if most is None else min(value, most)
        otherwise = usual if said is None else said
        return Setting(name, field.title, value, in_force, "here", most, otherwise)
    if said is not None:
        return Setting(name, field.title, None, said, "start", most)
    return Setting(name, field.title, None, usual, "usual", most)


def _from_start(name: str, process: Any) -> tuple[Any, Any, Any]:
    """Return what the process says about a setting, what is usual, and how much is possible."""
    limits: Limits = process.get("limits", Limits())
    if name == "upload_megabytes":
        said = process.get("upload_limit")
        said, most = None if said is None else said // MEGABYTE, UPLOAD_LIMIT // MEGABYTE
        return said, most, most if said is None else said
    if name in ("rows", "columns"):
        said = getattr(limits, name) if "limits" in process else None
        return said, getattr(Limits(), name), getattr(limits, name)
    if name in ("remove_percent", "change_percent"):
        share = process.get(name.replace("percent", "share"))
        usual = REMOVE_SHARE if name == "remove_percent" else CHANGE_SHARE
        return None if share is None else share * 100, usual * 100, None
    if name == "token_days":
        return None, MAX_TOKEN_DAYS, MAX_TOKEN_DAYS
    usual_days = {"undo_days": UNDO_DAYS, "run_days": RUN_DAYS, "export_hours": EXPORT_HOURS}
    return process.get(name), usual_days.get(name), None


def _with_floats(section: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for settings; programs write a whole number without a point."""
    iface = _schema(section)
    return {
        name: float(value)
        if isinstance(iface.get(name), schema.Float) and type(value) is int
        else value
        for name, value in values.items()
    }


def _check(section: str, present: Section, values: Mapping[str, Any]) -> None:
    """Raise `InvalidSettings` for values that cannot be set."""
    fields = dict(schema.getFieldsInOrder(_schema(section)))
    unknown = [name for name in values if name not in fields]
    if unknown:
        raise InvalidSettings(
            _(
                "There is no setting ${names} in the section ${section}. There are: ${known}.",
                mapping={
                    "names": ", ".join(map(repr, unknown)),
                    "section": section,
                    "known": ", ".join(fields),
                },
            )
        )
    most = {setting.name: setting.most for setting in present.settings}
    former, wrong = present.values(), {}
    for name, value in values.items():
        if value is None and not fields[name].required:
            continue
        try:
            fields[name].bind(None).validate(value)
            if isinstance(value, str) and not value.strip():
                raise ValidationError
            if isinstance(value, float) and not math.isfinite(value):
                raise ValidationError(_("Please enter a number."))
            if name == "mail_from":
                notices.check_address(value)
        except (ValidationError, InvalidSettings) as error:
            wrong[name] = _words(error, fields[name], value)
            continue
        # What was allowed once, and is not any more, must not keep others from being changed.
        if most[name] is not None and value > most[name] and value != former[name]:
            wrong[name] = _(
                "The start of the server allows ${most} at most: the operator can raise it.",
                mapping={"most": Number(most[name])},
            )
    if wrong:
        name, text = next(iter(wrong.items()))
        raise InvalidSettings(
            _(
                "${title}: ${text}",
                mapping={"title": fields[name].title, "text": text},
            ),
            wrong,
        )


def _words(error: Exception, field: Any, value: Any) -> Any:
    """Say what is wrong with a value."""
    if isinstance(error, InvalidSettings):
        return error.message
    low, high = getattr(field, "min", None), getattr(field, "max", None)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and low is not None and value < low:
        return _("At least ${n} is possible.", mapping={"n": Number(low)})
    if is_number and high is not None and value > high:
        return _("At most ${n} is possible.", mapping={"n": Number(high)})
    length = getattr(field, "max_length", None)
    if length is not None and isinstance(value, str) and len(value) > length:
        return _("At most ${n} characters are possible.", mapping={"n": Number(length)})
    if value is None or (isinstance(value, str) and not value.strip()):
        return _("Please fill in this field.")
    return _("${text} is no value for this.", mapping={"text": letters.one_line(str(value))[:80]})


def _logged(value: Any) -> str:
    return "(not set)" if value is None else repr(value)


def _version(settings: tuple[Setting, ...]) -> str:
    return _digest([(setting.name, setting.value) for setting in settings])


def _digest(value: Any) -> str:
    return hashlib.sha256(english(repr(value)).encode()).hexdigest()[:16]
