"""Vocabularies that fields name, and what is told where there is none.

A field ``Choice(vocabulary="mammoths.colours")`` means the utility for `IVocabularyFactory` of
that name, as in Kofa 1.9 and in all of Zope; ``zope.schema`` alone knows of no utilities.
"""

from typing import Any

from zope.component import queryUtility
from zope.schema.interfaces import IVocabularyFactory, ValidationError
from zope.schema.vocabulary import VocabularyRegistry, setVocabularyRegistry

from waeup.kofa.conversion.wording import shown
from waeup.kofa.errors import MappingError
from waeup.kofa.i18n import MessageFactory as _

#: Mistakes of what makes a vocabulary.  Errors of databases are of classes of their own, some of
#: which inherit from these; such a fault has nothing to do with the field.
_MISTAKES = frozenset(
    (AttributeError, IndexError, KeyError, LookupError, NameError, TypeError, ValueError)
)


class NamedVocabularies(VocabularyRegistry):
    """Finds vocabularies among the utilities, then among what was registered with it."""

    __slots__ = ()

    def get(self, context: Any, name: str) -> Any:
        """Return the vocabulary `name` for `context`; raises a LookupError where there is none."""
        factory = queryUtility(IVocabularyFactory, name=name)
        return super().get(context, name) if factory is None else factory(context)


def bound(field: Any, context: Any) -> Any:
    """Return `field` bound to `context`, the site; raises `MappingError` for one without values.

    Its vocabulary is found now: nobody may be registered under the name, and what makes the
    vocabulary may fail, such as one that needs more than a site to know its values.
    """
    try:
        return field.bind(context)
    except Exception as error:
        text = shown(field.__name__ or "")
        if isinstance(error, ValidationError) and isinstance(error, LookupError):
            # The field that names it may be one of the elements of a list.
            name = shown(getattr(getattr(error, "field", None), "vocabularyName", None) or "")
            raise MappingError(
                _(
                    "Field ${text} names the vocabulary ${name}, and nothing is registered under "
                    "that name. Correct it, or register a utility for IVocabularyFactory.",
                    mapping={"text": text, "name": name},
                )
            ) from error
        if type(error) not in _MISTAKES and not isinstance(error, ValidationError):
            raise
        words = f"{type(error).__name__}: {error}"
        raise MappingError(
            _(
                "Field ${text}: its values cannot be found: ${error}. What makes its vocabulary "
                "is given the site, and has to do with that.",
                mapping={"text": text, "error": words},
            )
        ) from error


def install() -> None:
    """Let fields of this process find vocabularies among the utilities."""
    setVocabularyRegistry(NamedVocabularies())


install()
try:
    from zope.testing.cleanup import addCleanUp
except ModuleNotFoundError:
    # Who installs the package alone has no tests.
    pass
else:
    # A test that clears everything brings back the registry of zope.schema, which knows no
    # utilities.
    addCleanUp(install)
