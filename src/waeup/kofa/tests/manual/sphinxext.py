"""For Sphinx: ``.. from-code:: LIST [ARGUMENT]`` stands for a list that is made of the code."""

from typing import Any

from sphinx.util.docutils import SphinxDirective

from waeup.kofa.tests.manual.lists import LISTS


class FromCode(SphinxDirective):
    """Gives the nodes of a list of `waeup.kofa.tests.manual.lists`."""

    required_arguments = 1
    optional_arguments = 1

    def run(self) -> list[Any]:
        """Make the list, and parse it as if it stood in the page."""
        name, *rest = self.arguments
        if name not in LISTS:
            raise self.error(f"There is no list {name!r}. There are: {', '.join(LISTS)}.")
        # What the code says may have changed although the page has not.
        self.env.note_reread()
        text = LISTS[name](rest[0] if rest else "")
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def setup(app: Any) -> dict[str, Any]:
    """Tell Sphinx of the directive."""
    app.add_directive("from-code", FromCode)
    return {"parallel_read_safe": True}
