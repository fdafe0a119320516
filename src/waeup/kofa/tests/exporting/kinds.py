"""Kinds made up for a test: a schema, its processor and exporter, and a site with objects."""

import io
import os
import shutil
import tempfile
from contextlib import contextmanager
from datetime import date
from functools import partial
from itertools import count

import grok
from hypothesis import strategies as st
from zope import schema
from zope.component import getGlobalSiteManager, getUtility, provideUtility
from zope.component.hooks import setSite
from zope.interface import Interface
from zope.interface.interface import InterfaceClass

from waeup.kofa.conversion import FormattedDate, Mapping, PhoneNumber, Secret
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.importing.kind import ContainerProcessor, Record
from waeup.kofa.interfaces import IBatchProcessor, ICSVExporter
from waeup.kofa.tests.conversion.test_round_trip import (
    HASHED,
    KINDS,
    VALUES,
    lines,
    moments,
    phones,
    tricky_texts,
)

CONTAINER = "things"
PROCESSOR = "thingprocessor"
_numbers = count()


class Site(grok.Container):
    """A site outside a database."""

    def __init__(self, container=CONTAINER):
        super().__init__()
        self[container] = grok.Container()

    def getSiteManager(self):
        return getGlobalSiteManager()


def schema_of(fields):
    """Return a schema of `fields`, a dict, in their order."""
    for order, field in enumerate(fields.values()):
        field.order = order
    # Interfaces of one name are equal.
    name = f"IThing{next(_numbers)}"
    return InterfaceClass(name, (Interface,), dict(fields), __module__=__name__)


def processor_of(iface, key="code"):
    """Return the class of a processor for objects of `iface`."""
    names = {"iface": iface, "container": CONTAINER, "key": key, "util_name": PROCESSOR}
    return type("ThingProcessor", (ContainerProcessor,), names)


@contextmanager
def registered(*utilities):
    """Within this block there are `utilities`: triples of component, interface, name."""
    manager = getGlobalSiteManager()
    for component, iface, name in utilities:
        provideUtility(component, iface, name)
    try:
        yield
    finally:
        for component, iface, name in utilities:
            manager.unregisterUtility(component, iface, name)


@contextmanager
def kind_registered(iface, key="code"):
    """Within this block objects of `iface` are imported and exported; gives both utilities."""
    kind = processor_of(iface, key)
    processor, exporter = kind(), ContainerExporter(kind)
    with registered((processor, IBatchProcessor, PROCESSOR), (exporter, ICSVExporter, CONTAINER)):
        yield processor, exporter


def fill(site, iface, objects, key="code"):
    """Put an object into the site for each dict of values."""
    for values in objects:
        thing = Record(iface)
        thing.__dict__.update(values)
        site[CONTAINER][str(values[key])] = thing


def written(site, exporter=CONTAINER, **wish):
    """Return the bytes of an export and what it has said."""
    export = Export(Wish(exporter, **wish), site)
    stream = io.BytesIO()
    outcome = export.write(stream)
    return stream.getvalue(), outcome


def text_of(site, exporter=CONTAINER, **wish):
    """Return the text of an export."""
    return written(site, exporter, **wish)[0].decode("utf-8")


def report_of(site, content, export, processor, mode):
    """Import what `export` has written into `site`, and return the report."""
    folder = tempfile.mkdtemp()
    try:
        path = os.path.join(folder, export.filename)
        with open(path, "wb") as stream:
            stream.write(content)
        setSite(site)
        columns = tuple(column.name for column in export.columns)
        return getUtility(IBatchProcessor, name=processor).importTable(
            path, Mapping(columns), mode, folder=tempfile.mkdtemp(dir=folder), site=site
        )
    finally:
        setSite(None)
        shutil.rmtree(folder)


# -- fields and their values ----------------------------------------------------------

_small = st.integers(-5, 5)
_of = {kind: values for kind, (_field, values) in KINDS.items()}
_short = lines.filter(lambda text: len(text) < 4)
_terms = [100, 200, -5]
_choice = schema.Choice(values=VALUES)


def _collection(kind, element, values, **kw):
    return partial(kind, value_type=element, **kw), st.lists(values, max_size=3).map(kind._type)


#: Pairs of what makes a field and a strategy of its values, for all kinds that cells can hold.
MAKERS = [
    *(
        (kind, _of[kind])
        for kind in (
            *(schema.TextLine, schema.Text, schema.SourceText, schema.ASCII, schema.ASCIILine),
            *(schema.Bool, schema.Int, schema.Float, schema.Decimal, schema.Date),
            *(schema.Datetime, PhoneNumber),
        )
    ),
    (partial(schema.Int, min=-5, max=5), _small),
    (partial(schema.TextLine, max_length=3), _short),
    (partial(FormattedDate, "%d/%m/%y"), st.dates()),
    # Its form reads an ISO date as another day.
    (partial(FormattedDate, "%Y-%d-%m"), st.dates(date(1000, 1, 1))),
    (partial(schema.Choice, values=VALUES), st.sampled_from(VALUES)),
    (partial(schema.Choice, values=_terms), st.sampled_from(_terms)),
    _collection(schema.List, schema.Text(), tricky_texts),
    _collection(schema.List, PhoneNumber(), phones),
    _collection(schema.List, schema.Decimal(), _of[schema.Decimal]),
    _collection(schema.List, FormattedDate("%d.%m.%Y"), st.dates(date(1000, 1, 1))),
    _collection(schema.List, schema.Bool(), st.booleans(), max_length=3),
    _collection(schema.List, schema.List(value_type=schema.Int()), st.lists(_small, max_size=2)),
    _collection(schema.Tuple, schema.Datetime(), moments),
    _collection(schema.Set, _choice, st.sampled_from(VALUES)),
    _collection(schema.FrozenSet, schema.Int(), st.integers()),
    # The hash takes its time, and it needs no default.
    (partial(Secret, rounds=4, required=False), st.just(HASHED)),
]
#: Names of fields that could be in each other's way.
NAMES = ["valid", "valid_from", "valid_to", "a", "title", "b_", "password", "level", "UPPER", "z9"]


@st.composite
def tables(draw):
    """Generate a schema with the key ``code``, and dicts of values for some objects."""
    fields = {"code": schema.TextLine(title="Code")}
    values = {}
    makers = draw(st.lists(st.sampled_from(MAKERS), max_size=6))
    for name, (make, found) in zip(NAMES, makers, strict=False):
        kw = {"title": name}
        if not (isinstance(make, partial) and make.func is Secret):
            kw["required"] = draw(st.booleans(), label=f"{name} required")
            kw["default"] = draw(st.none() | found, label=f"{name} default")
        field = fields[name] = make(**kw)
        values[name] = found if field.required else st.none() | found
    iface = schema_of(fields)
    codes = draw(st.lists(lines.filter(bool), min_size=1, max_size=5, unique=True), label="codes")
    objects = [
        {"code": code} | {name: draw(found, label=name) for name, found in values.items()}
        for code in codes
    ]
    return iface, objects
