"""Choices whose values are objects of the site: what stands in a column is the key of one.

::

    class IMammoth(Interface):
        herd = schema.Choice(title="Herd", source=KeysOf("herds", _("Herds")))

A row that names a herd that is not there fails, and says which keys are close.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import grok
from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler
from zope.interface import implementer
from zope.schema.interfaces import IContextSourceBinder
from zope.schema.vocabulary import SimpleTerm, SimpleVocabulary

from waeup.kofa.interfaces import ILookupSource

#: Objects of a container that are listed; of more, one is looked up at a time.
MOST_LISTED = 500
#: Keys that are compared with one that is not there, and how many are suggested.
MOST_COMPARED, SUGGESTED = 100_000, 5
#: Texts for which one source looks for similar keys, and their characters.
MOST_TEXTS, LONGEST = 1000, 200
#: How similar they must be, from 0 to 1.
SIMILAR = 0.75


@implementer(IContextSourceBinder)
class KeysOf:
    """A contextual source: the keys of the objects in a container of the site.

    `container` are the names that lead to it from the site, separated by slashes; `title` is what
    the objects are called on pages.  Values are keys, shown with the attribute `shown_by` of the
    objects, if they have it.  A container that is missing has no keys.  Few objects are listed, on
    pages and in templates; many are looked up when a cell names one (`ILookupSource`).
    """

    def __init__(self, container: str, title: Any = "", shown_by: str = "title") -> None:
        self._path = container.split("/")
        self._title = title
        self._shown_by = shown_by

    def __call__(self, context: Any) -> Any:
        """Return the source for a site, or, for what else fields are bound to, the present one."""
        found = self._container(context)
        if found is None and context is not grok.getSite():
            found = self._container(grok.getSite())
        if found is not None and len(found) > MOST_LISTED:
            return Keys(found, self._title, self._shown_by)
        listed = _Listed(list(_terms(found, self._shown_by)))
        listed.title = self._title
        return listed

    def _container(self, context: Any) -> Any:
        for name in self._path:
            get = getattr(context, "get", None)
            context = None if get is None else get(name)
            if context is None:
                return None
        return context


class _Listed(SimpleVocabulary):
    """Few keys."""

    title: Any = ""


def _terms(container: Any, shown_by: str) -> Iterator[SimpleTerm]:
    for key, obj in () if container is None else container.items():
        yield SimpleTerm(key, key, str(getattr(obj, shown_by, None) or key))


@implementer(ILookupSource)
class Keys:
    """See `ILookupSource`: the keys of a large container."""

    def __init__(self, container: Any, title: Any, shown_by: str) -> None:
        self.title = title
        self._container = container
        self._shown_by = shown_by
        self._suggested: dict[str, list[tuple[str, str]]] = {}

    def __contains__(self, value: Any) -> bool:
        """See `ILookupSource`."""
        return isinstance(value, str) and value in self._container

    def find(self, text: str) -> str:
        """See `ILookupSource`; a key in capitals or small letters is found, too."""
        for key in dict.fromkeys((text, text.upper(), text.lower())):
            if key in self._container:
                return key
        raise LookupError(text)

    def token(self, value: Any) -> str:
        """See `ILookupSource`."""
        return str(value)

    def suggest(self, text: str) -> list[tuple[str, str]]:
        """See `ILookupSource`: the most similar of the first keys.

        A source looks for few texts, each once: a file may be wrong in each of its rows.
        """
        found = self._suggested.get(text)
        if found is None:
            if len(self._suggested) >= MOST_TEXTS or len(text) > LONGEST:
                return []
            found = self._suggested[text] = self._most_similar(text)
        return found

    def _most_similar(self, text: str) -> list[tuple[str, str]]:
        keys = list(islice(self._container.keys(), MOST_COMPARED))
        found = process.extract(
            text.casefold(),
            keys,
            scorer=JaroWinkler.normalized_similarity,
            processor=str.casefold,
            score_cutoff=SIMILAR,
            limit=SUGGESTED,
        )
        return [(key, self._titled(key)) for key, _score, _at in found]

    def _titled(self, key: str) -> str:
        return str(getattr(self._container[key], self._shown_by, None) or key)
