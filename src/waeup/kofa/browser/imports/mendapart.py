"""What the mend page asks for besides: answers for its script, and tables of rows."""

import json
from typing import Any

import grok
import transaction
from zope.publisher.http import DirectResult

from waeup.kofa.browser import tokens
from waeup.kofa.browser.downloads import Attachment, blocks_of
from waeup.kofa.browser.imports.mendforms import (
    changed_texts,
    number_in,
    require_same_check,
    sent_texts,
)
from waeup.kofa.browser.imports.mendrows import (
    messages_by_position,
    plain,
    since_words,
    text_in_force,
    verdict_words,
    was_words,
)
from waeup.kofa.browser.page import Door, status_of
from waeup.kofa.errors import Refused
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.interfaces import IDataCenter
from waeup.kofa.operations import FailingRow, RowVerdict


class Mend(Door):
    """Keeps what is entered for a row, for the script of the mend page, and tells what that does.

    A form with the token, ``draft``, ``checked`` (the id of its check), ``row``, and texts of
    cells (``cell-0``) of a row that the check has found failing; without texts the row is only
    tried.  ``uncorrect`` takes the correction of the row back.
    """

    grok.context(IDataCenter)
    grok.name("mend")
    grok.require("waeup.importData")

    def render(self) -> str:
        """Return JSON; a refusal is told with its status, and changes nothing."""
        self.set_security_headers()
        self.response.setHeader("Content-Type", "application/json")
        self.response.setHeader("Cache-Control", "no-store")
        if self.request.method != "POST":
            self.response.setHeader("Allow", "POST")
            return self._refused(405, _("Nothing was changed: send the form of the page."))
        if not tokens.is_valid(self.request):
            return self._refused(
                403, _("This page is out of date, so nothing was kept. Load it again.")
            )
        try:
            return json.dumps(self._told(self.field("draft"), number_in(self.field("row"))))
        except Refused as refusal:
            # A refusal promises that nothing was changed; this keeps the promise.
            transaction.abort()
            return self._refused(status_of(refusal), refusal.message)

    def _refused(self, status: int, text: Any) -> str:
        self.response.setStatus(status)
        return json.dumps({"error": self.words(text)})

    def _told(self, draft: str, number: int) -> dict[str, Any]:
        """Do what is asked for, and return how the row and the draft are then."""
        require_same_check(self.operations.draft(draft), self.field("checked"))
        operations, texts = self.operations, sent_texts(self.request.form)
        if self.field("uncorrect"):
            operations.uncorrect(draft, number)
        row = operations.failing_row(draft, number)
        changed = {} if self.field("uncorrect") else changed_texts(row, texts)
        if changed:
            row = operations.correct(draft, number, changed)
        verdict, words, look = None, _("It is read as it stands in the file."), ""
        if row.is_corrected:
            verdict = operations.check_row(draft, number, {})
            words, look = verdict_words(verdict)
        said = self.words(words)
        since = operations.corrected_since(draft)
        return {
            "row": number,
            "is_corrected": row.is_corrected,
            "is_sound": verdict is not None and verdict.is_sound,
            "verdict": said if row.is_corrected else "",
            "look": look,
            "cells": self._cells(row, verdict),
            "messages": [
                self.recognized(message)
                for message in (row.messages if verdict is None else verdict.messages)
            ],
            "said": f"{self._row_words(number)}: {said}",
            "since": since,
            "since_text": self.words(since_words(since)),
        }

    def _row_words(self, number: int) -> str:
        text = _("Row ${n}", mapping={"n": self.number(number)})
        return self.words(text)

    def _cells(self, row: FailingRow, verdict: RowVerdict | None) -> list[dict[str, Any]]:
        found = None if verdict is None else messages_by_position(verdict)
        return [
            {
                "position": cell.position,
                "text": "" if cell.secret else plain(text_in_force(cell)),
                "was": self.words(was_words(cell)),
                "message": self.recognized(
                    cell.message if found is None else found.get(cell.position, "")
                ),
            }
            for cell in row.cells
            if cell.field is not None
        ]


class Failing(Attachment):
    """Sends the rows that a check (``check=`` its id) has found failing, as a table."""

    grok.context(IDataCenter)
    grok.name("failing")
    grok.require("waeup.manageDataCenter")

    def render(self) -> DirectResult:
        """Stream the table."""
        name, file = self.operations.failing_table(self.field("check"))
        return self.send(name, blocks_of(file, mark=True))


class Corrected(Attachment):
    """Sends the rows that were corrected in a draft (``draft=``) whose file has gone."""

    grok.context(IDataCenter)
    grok.name("corrected")
    grok.require("waeup.importData")

    def render(self) -> DirectResult:
        """Stream the table."""
        name, file = self.operations.corrected_table(self.field("draft"))
        return self.send(name, blocks_of(file, mark=True))
