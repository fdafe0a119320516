"""Steps of an import that a script changes in place: it sends the form, and gets parts back."""

from typing import Any

import grok

from waeup.kofa.browser.imports.steps import DraftStep


class PartedStep(DraftStep):
    """A step that answers a form with the field ``part`` by those parts of it that change.

    What a button does is the same with and without a script; only the answer differs.
    """

    grok.baseclass()

    @property
    def is_part(self) -> bool:
        """Whether the script of the page asks."""
        return bool(self.field("part"))

    def show_parts(self) -> str:
        """Return the parts that change."""
        raise NotImplementedError

    def go(self, step: int) -> None:
        """Go to another step; the script stays where it is."""
        if not (self.is_part and step == self.step):
            super().go(step)

    def layout(self, content: str) -> str:
        """Put the portal's layout around a page; parts have none."""
        return content if self.is_part else str(super().layout(content=content))

    def _render_template(self) -> Any:
        return self.show_parts() if self.is_part else super()._render_template()
