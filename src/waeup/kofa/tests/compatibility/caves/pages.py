"""Pages of caves."""

import grok

from waeup.kofa.tests.compatibility.caves.interfaces import ICavesContainer


class CavesPage(grok.View):
    """Lists caves."""

    grok.context(ICavesContainer)
    grok.name("index")
    grok.require("waeup.manageDataCenter")

    def render(self):
        return "Caves: " + ", ".join(cave.title for cave in self.context.values())
