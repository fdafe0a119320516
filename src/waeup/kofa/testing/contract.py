"""What contract tests have in common: what is declared, and how a broken rule is told."""

import csv
import functools
import io
import os
import traceback
import unittest
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import transaction
from grok import Container
from zope.component import getGlobalSiteManager, getUtilitiesFor, queryUtility
from zope.component.hooks import getSite
from zope.schema import getFields

from waeup.kofa.exporting import Export, Wish
from waeup.kofa.importing.completing import Completer
from waeup.kofa.importing.declaring import declarations_of
from waeup.kofa.importing.hooks import CREATE, REMOVE, UPDATE, HookRow
from waeup.kofa.importing.parts import NO_PART, part_columns, part_getters
from waeup.kofa.importing.plan import secret_names
from waeup.kofa.interfaces import IGNORE_MARKER, IBatchProcessor, ICSVExporter, IDataCenterConfig
from waeup.kofa.testing.layers import KofaUnitTestLayer
from waeup.kofa.testing.pictures import Picture, differences
from waeup.kofa.testing.samples import Applied, Row, SamplePortal, SampleSite

if TYPE_CHECKING:
    _TestCase = unittest.TestCase
else:
    # A mix-in is no test by itself: runners do not find it.
    _TestCase = object

_Test = TypeVar("_Test", bound=Callable[..., None])

#: Where the code of contracts and of the engines is: nobody is to look for a mistake there.
_HERE = os.path.dirname(__file__)
_ENGINES = tuple(
    os.path.join(os.path.dirname(_HERE), room)
    for room in ("conversion", "exporting", "importing", "tabular", "testing")
)


def rule(test: _Test) -> _Test:
    """Make a test method one of a contract: what goes wrong is told as a broken rule.

    The first line of its docstring is the rule.
    """

    @functools.wraps(test)
    def checked(self: Any) -> None:
        try:
            test(self)
        except (self.failureException, unittest.SkipTest):
            raise
        except Exception as error:
            # What fails in one place for all rules is told once.
            self.broken_for_all(
                f"{in_words(error)}, raised {place_of(error)}.",
                "Mend what has raised it, or what is declared for this test if that is wrong.",
            )

    return checked  # type: ignore[return-value]


def in_words(error: BaseException) -> str:
    """Return what an exception is, and what it says."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def place_of(error: BaseException) -> str:
    """Return where an exception comes from: the last place that is the developer's, if any."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if not frame.filename.startswith(_ENGINES) and "site-packages" not in frame.filename
    ]
    inside = [frame for frame in frames if not frame.filename.startswith(_HERE)]
    frame = (own or inside or frames)[-1]
    return f"in {frame.name} ({frame.filename}, line {frame.lineno})"


def memory_of(utility: Any) -> dict[str, str]:
    """Return what a utility and its classes keep, as texts.

    What is found once for all times may be kept, and is left out: a `functools.cached_property`.
    """
    found = {}
    for holder in (utility, *type(utility).__mro__):
        name = "self" if holder is utility else holder.__name__
        if getattr(holder, "__module__", "").startswith(("zope.", "grokcore.")):
            continue
        for attribute, value in list(vars(holder).items()):
            is_plain = isinstance(value, (str, int, float, list, dict, set, tuple, type(None)))
            is_cached = isinstance(
                getattr(type(utility), attribute, None), functools.cached_property
            )
            if (is_plain or holder is utility) and not is_cached and attribute[:2] != "__":
                found[f"{name}.{attribute}"] = repr(value)
    return found


def newly_kept(utility: Any, before: Mapping[str, str]) -> str:
    """Return the names of what a utility, or its class, keeps otherwise than `memory_of` said."""
    now = memory_of(utility)
    return ", ".join(name for name in now if before.get(name) != now[name])


def _is_up() -> bool:
    return getGlobalSiteManager().queryUtility(IDataCenterConfig) is not None


class Contract(_TestCase):
    """The base of contracts: mix-ins for a `unittest.TestCase`.

    A subclass declares what is tested::

        class MammothTests(KindContract, unittest.TestCase):
            processor = "mammothprocessor"
            exporter = "mammoths"
            rows = [{"name": "Manfred", "weight": "5000"}, {"name": "Ellie", "weight": "4000"}]
            changes = {"weight": "5100"}

    Each test has portals of its own, in memory.
    """

    #: The layer in which the tests run; without a runner that knows layers they set it up.
    layer: ClassVar[Any] = KofaUnitTestLayer
    #: The processor: the name of the utility, or the class.
    processor: ClassVar[Any] = None
    #: The exporter: the name of the utility, or the class.
    exporter: ClassVar[Any] = None
    #: Rows of a table that makes objects, at least two: column -> text.
    rows: ClassVar[Sequence[Row]] = ()
    #: What a later table changes of the object of the first row: column -> text.
    changes: ClassVar[Row] = {}
    #: Cells that must be refused, one by one: column -> text.
    wrong: ClassVar[Row] = {}
    #: Cells that must be refused together, for what they say beside those of the first row.
    wrong_rows: ClassVar[Sequence[Row]] = ()
    #: Tables that must be refused as a whole, by the `file_rules` of the processor.
    wrong_files: ClassVar[Sequence[Sequence[Row]]] = ()
    #: Whether there is no wrong cell: all columns take any text.
    nothing_is_wrong: ClassVar[bool] = False
    #: Texts for filters of the exporter's own, each for one that tells the objects apart.
    filters: ClassVar[Mapping[str, str]] = {}
    #: Columns that a table needs to find objects; by default those that the processor names.
    key_columns: ClassVar[Sequence[str]] = ()
    #: Columns that tell an import something and are no attributes of an object.
    not_kept: ClassVar[Sequence[str]] = ()

    _has_own_layer: ClassVar[bool] = False
    # What was found to be wrong for many rules -> the test that has told it.
    _found_for_all: ClassVar[dict[str, str]]

    # -- what a subclass may say otherwise ------------------------------------------

    def make_site(self) -> Any:
        """Return a new portal: a `SampleSite`, unless a subclass says otherwise."""
        return SampleSite()

    def fill_site(self, site: Any) -> None:
        """Put into a new portal what must be there before the first row.

        By default that is the container that a `ContainerProcessor` names, or what the
        processor itself makes of a portal (`prepareSite`).
        """
        if self.processor is None:
            return
        processor, place = self.tested_processor, site
        processor.prepareSite(site)
        for name in filter(None, getattr(processor, "container", "").split("/")):
            if name not in place:
                place[name] = Container()
            place = place[name]

    def add_objects(self, portal: SamplePortal) -> None:
        """Put the objects of `rows` into `portal`: by an import, unless a subclass says how."""
        applied = portal.apply(self.tested_processor, self.rows, CREATE)
        if applied.reasons:
            self.broken_for_all(
                f"rows of `rows` were refused: {'; '.join(applied.reasons)}.",
                "Declare rows that can be imported, put into the portal what they need (override "
                "`fill_site`), or mend the processor.",
            )

    def add_content(self, obj: Any) -> None:
        """Put something into an object that is removed with it; by default nothing."""

    # -- how the tests are run --------------------------------------------------------

    @classmethod
    def setUpClass(cls) -> None:
        """Set the layer up, where the runner knows nothing of layers."""
        super().setUpClass()
        if not _is_up():
            cls.layer.setUp()
            cls.addClassCleanup(cls.layer.tearDown)
            cls._has_own_layer = True

    def setUp(self) -> None:
        """Have the layer know of the test, where the runner does not."""
        super().setUp()
        if self._has_own_layer:
            self.layer.testSetUp()
            self.addCleanup(self.layer.testTearDown)

    def portal(self, *, with_objects: bool = False, is_bare: bool = False) -> SamplePortal:
        """Return a new portal, which is closed when the test is over.

        In one that `is_bare` there is not even what rows need.
        """
        fill = (lambda site: None) if is_bare else self.fill_site
        portal = SamplePortal(self.make_site, fill)
        self.addCleanup(portal.close)
        if with_objects:
            self.add_objects(portal)
        return portal

    @contextmanager
    def other_portal(self) -> Iterator[SamplePortal]:
        """Give a second portal, which is the current one within this block."""
        portal = SamplePortal(self.make_site, self.fill_site)
        try:
            yield portal
        finally:
            portal.close()

    # -- what is tested -----------------------------------------------------------------

    @property
    def tested_processor(self) -> Any:
        """The processor."""
        return self._tested(IBatchProcessor, self.processor, "processor")

    @property
    def tested_exporter(self) -> Any:
        """The exporter."""
        return self._tested(ICSVExporter, self.exporter, "exporter")

    @property
    def kept_elsewhere(self) -> frozenset[str]:
        """Columns that are no attributes of an object: those of its parts are among them."""
        return part_columns(self.tested_processor).union(self.not_kept)

    @property
    def exporter_name(self) -> str:
        """The name under which the exporter is registered, or ''."""
        if isinstance(self.exporter, str):
            return self.exporter
        found = (name for name, _ in self._registered(ICSVExporter, self.exporter))
        return next(found, "")

    def _tested(self, iface: Any, declared: Any, what: str) -> Any:
        if declared is None:
            self.broken_for_all(
                f"{type(self).__name__} does not say which {what} is tested.",
                f"Give it `{what}`: the name of the utility, or the class.",
            )
        if not isinstance(declared, str):
            # One that nobody finds is told by a rule; it can be looked at all the same.
            found = [utility for _, utility in self._registered(iface, declared)]
            return found[0] if found else declared()
        utility = queryUtility(iface, name=declared)
        if utility is None:
            self.broken_for_all(
                f"no {what} is registered as {declared!r}.",
                "Correct the name, and let the layer grok your package (see KofaUnitTestLayer).",
            )
        return utility

    @staticmethod
    def _registered(iface: Any, declared: type) -> list[tuple[str, Any]]:
        return [(name, found) for name, found in getUtilitiesFor(iface) if type(found) is declared]

    # -- rows ---------------------------------------------------------------------------

    def key_cells(self, row: Row) -> dict[str, str]:
        """Return the cells of a row that say which object is meant."""
        processor = self.tested_processor
        names = self.key_columns or (*processor.location_fields, *processor.req.get(UPDATE, ()))
        return {name: row[name] for name in names if name in row}

    def update_rows(self) -> list[dict[str, str]]:
        """Return a table that changes the first object, and says nothing about the others."""
        if not self.changes:
            self.broken_for_all(
                "nothing says what an update would change.",
                "Declare `changes`, such as {'weight': '5100'}.",
            )
        return [{**self.key_cells(self.rows[0]), **self.changes}]

    def removal_rows(self) -> list[dict[str, str]]:
        """Return a table that removes the first object."""
        return [self.key_cells(self.rows[0])]

    def rows_of(self, mode: str) -> list[Row]:
        """Return a table that does something in `mode`; objects may have to be there."""
        if mode == UPDATE:
            return list(self.update_rows())
        return list(self.removal_rows()) if mode == REMOVE else list(self.rows)

    def hook_row(self, row: Row, mode: str = CREATE) -> HookRow:
        """Return a row as hooks get it: texts, and values where a field has one.

        What a kind computes for a row is in it, too.
        """
        found, errors = self.converted(row, mode)
        if found is None:
            self.broken_for_all(
                f"the row {dict(row)} was not converted: {errors}.",
                "Declare rows of texts that stand for values, or mend `checkConversion`.",
            )
        if mode != REMOVE and declarations_of(self.tested_processor).concern_rows:
            Completer(self.tested_processor, mode, getSite()).compute(found, mode)
        return found

    def converted(self, row: Row, mode: str = CREATE) -> tuple[HookRow | None, str]:
        """Return a row with values where a field has one, or None and what is wrong with it."""
        texts = {
            name: IGNORE_MARKER if text.strip() in ("", "[]") else text
            for name, text in row.items()
        }
        processor = self.tested_processor
        errors, invariant_errors, values = processor.checkConversion(texts, mode)
        if errors or invariant_errors:
            return None, processor.stringFromErrs(errors, invariant_errors)
        return HookRow({**texts, **values}), ""

    def declared_rows(self) -> list[dict[str, str]]:
        """Return all rows that are declared: good ones, changed ones, and wrong ones."""
        first = self.rows[0]
        differing = [self.changes, *({name: text} for name, text in self.wrong.items())]
        return [
            *map(dict, self.rows),
            *({**first, **cells} for cells in (*differing, *self.wrong_rows)),
        ]

    def require_mode(self, mode: str) -> None:
        """Leave a test out that is about a mode which the processor does not have."""
        if mode not in self.tested_processor.modes:
            self.skipTest(f"{self.tested_processor.util_name} has no mode {mode!r}")

    def require_rows(self) -> None:
        """Refuse declarations that test nothing."""
        if len(self.rows) < 2 or not all(isinstance(row, Mapping) for row in self.rows):
            self.broken_for_all(
                f"`rows` of {type(self).__name__} has {len(self.rows)} rows.",
                "Declare at least two rows of texts, each for an object of its own: "
                "rows = [{'code': 'A', 'title': 'One'}, {'code': 'B', 'title': 'Two'}].",
            )

    def require_done(self, applied: Applied, outcomes: Sequence[str], to_do: str) -> None:
        """Refuse rows that did not become what they should."""
        if applied.outcomes != list(outcomes):
            reasons = f" ({'; '.join(applied.reasons)})" if applied.reasons else ""
            self.broken(
                f"rows were {', '.join(applied.outcomes)}{reasons}, not {', '.join(outcomes)}.",
                to_do,
            )

    # -- what is asked for by several rules -------------------------------------------------

    def ready(self, *, with_content: bool = False) -> Iterator[tuple[str, SamplePortal]]:
        """Generate each mode, and a portal in which `rows_of` does something in it."""
        self.require_rows()
        processor = self.tested_processor
        for mode in processor.modes:
            with_objects = mode in (UPDATE, REMOVE)
            portal = self.portal(with_objects=with_objects)
            if with_objects and with_content:
                row = self.hook_row(self.key_cells(self.rows[0]), mode)
                self.add_content(processor.getEntry(row, portal.site))
                transaction.commit()
            yield mode, portal

    def require_values(self, portal: SamplePortal, row: Row) -> None:
        """Refuse an object that does not have the values of its row."""
        processor = self.tested_processor
        asked = self.hook_row(row)
        obj = processor.getEntry(asked, portal.site)
        if obj is None or not processor.entryExists(asked, portal.site):
            self.broken(
                f"getEntry finds no object for {dict(row)}.",
                "Let `addEntry` put it where `getEntry` looks for it.",
            )
        secrets = secret_names(processor.iface)
        of_parts = part_getters(processor, row)
        for name, text in row.items():
            if name not in getFields(processor.iface) or name in self.not_kept:
                continue
            get = of_parts.get(name)
            value = getattr(obj, name, None) if get is None else get(obj)
            if name not in secrets and asked[name] not in (IGNORE_MARKER, value):
                self.broken(
                    f"{name} is {'of no part' if value is NO_PART else repr(value)}, and {text!r} "
                    f"means {asked[name]!r}.",
                    "Let the object have an attribute that `updateEntry` can set; name in "
                    "`not_kept` what is told to the import only.",
                )

    def require_same(self, portal: SamplePortal, before: Picture, what: str, to_do: str) -> None:
        """Refuse a portal that has changed."""
        # What extra state there was can be seen from the names.
        has_more = any(name.endswith("(extra state)") for name in before)
        after = portal.picture(self.tested_processor if has_more else None)
        if not has_more:
            before = {name: value for name, value in before.items() if not name.endswith("state)")}
        changed = differences(before, after)
        if changed:
            self.broken(f"{what} changed the portal: {changed}.", to_do)

    def require_files(self, portal: SamplePortal, before: dict[str, bytes], what: str) -> None:
        """Refuse files that were made or changed."""
        after = portal.files()
        changed = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        if changed:
            self.broken(
                f"{what} left files: {', '.join(changed[:5])}.",
                "Touch files only by a data manager that joins the transaction, and log with "
                "`waeup.kofa.logger.Logger`.",
            )

    def require_nothing_to_write(self, portal: SamplePortal, what: str, to_do: str) -> None:
        """Refuse objects that were changed, in the transaction under way."""
        changed = portal.to_write()
        if changed:
            self.broken(f"{what} changed objects: {', '.join(changed)}.", to_do)

    # -- exports ------------------------------------------------------------------------

    def exported(self, portal: SamplePortal, **wish: Any) -> bytes:
        """Return what an export writes."""
        transaction.begin()
        stream = io.BytesIO()
        Export(Wish(self.exporter_name, **wish), portal.site).write(stream)
        return stream.getvalue()

    def records(self, portal: SamplePortal, **wish: Any) -> list[list[str]]:
        """Return the rows of an export, the header first."""
        text = self.exported(portal, **wish).decode("utf-8")
        return list(csv.reader(io.StringIO(text, newline="")))

    # -- messages -----------------------------------------------------------------------

    def broken_for_all(self, found: str, to_do: str) -> NoReturn:
        """Fail for what many rules need: the first test does, others of the class are skipped."""
        if "_found_for_all" not in vars(type(self)):
            type(self)._found_for_all = {}
        first = self._found_for_all.setdefault(found, self._testMethodName)
        if first != self._testMethodName:
            self.skipTest(f"it needs what {first} has found to be wrong: {found}")
        self.broken(found, to_do)

    def broken(self, found: str, to_do: str) -> NoReturn:
        """Fail: say which rule is broken, what was found, and what is to be done."""
        test = getattr(self, self._testMethodName)
        text = " ".join((test.__doc__ or self._testMethodName).split("\n\n")[0].split())
        if found.endswith("..") and not found.endswith("..."):
            # A reason that was quoted has a full stop of its own.
            found = found[:-1]
        raise self.failureException(f"\nRule:  {text}\nFound: {found}\nTo do: {to_do}")
