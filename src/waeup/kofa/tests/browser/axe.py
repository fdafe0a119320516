"""Looks for what bars people from a page: axe-core by Deque, in the browser that shows it."""

from importlib.resources import files
from typing import Any

#: The rules of WCAG 2.0 to 2.2 that decide about levels A and AA.
TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa")

# The package is for another driver of browsers, but what it brings works in all of them.
_SCRIPT = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_RUN = """
const [tags, tell] = arguments;
axe.run(document, { runOnly: { type: "tag", values: tags }, resultTypes: ["violations"] })
  .then((found) => tell(found.violations), (error) => tell([{ id: String(error), nodes: [] }]));
"""


def violations(window: Any) -> list[str]:
    """Return what is wrong with the page that a selenium driver shows, a line for each element."""
    # A script of the driver is not bound to what the page allows.
    if not window.execute_script("return 'axe' in window"):
        window.execute_script(_SCRIPT)
    return [
        f"{found['id']}: {node['html']}: {node['failureSummary']}"
        for found in window.execute_async_script(_RUN, TAGS)
        for node in found["nodes"] or [{"html": "", "failureSummary": ""}]
    ]
