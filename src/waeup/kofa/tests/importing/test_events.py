"""Events of an import reach those whom `zope.event` and `zope.container` would reach."""

import unittest

from ZODB.interfaces import IBroken
from zope import component, event
from zope.component.event import objectEventNotify
from zope.component.hooks import setHooks, setSite
from zope.component.interfaces import ISite
from zope.component.persistentregistry import PersistentComponents
from zope.component.testing import PlacelessSetup
from zope.container.contained import (
    Contained,
    dispatchToSublocations,
    setitem,
    uncontained,
)
from zope.container.interfaces import IContainerModifiedEvent
from zope.container.sample import SampleContainer
from zope.interface import Interface, alsoProvides, implementer
from zope.interface.interfaces import IObjectEvent
from zope.lifecycleevent import ObjectModifiedEvent
from zope.lifecycleevent.interfaces import (
    IObjectAddedEvent,
    IObjectModifiedEvent,
    IObjectMovedEvent,
)

from waeup.kofa.importing.events import fire, put, take_out


class IThing(Interface):
    """Something that is imported."""


@implementer(IThing)
class Thing(Contained):
    """A thing."""


@implementer(ISite)
class Site(Contained):
    """A site with components of its own."""

    def __init__(self):
        self.components = PersistentComponents()
        self.components.__bases__ = (component.getGlobalSiteManager(),)

    def getSiteManager(self):
        """Return the components."""
        return self.components


class EventsTestCase(PlacelessSetup, unittest.TestCase):
    """Has the subscribers of zope, and none else."""

    def setUp(self):
        super().setUp()
        setHooks()
        self.addCleanup(setSite)
        self.seen = []
        self.subscribe(objectEventNotify, IObjectEvent)

    def subscribe(self, handler, *required, registry=None):
        """Have `handler` called for what is required."""
        registry = component.getGlobalSiteManager() if registry is None else registry
        registry.registerHandler(handler, required)

    def see(self, name, *required, registry=None):
        """Have events remembered."""
        self.subscribe(
            lambda *given: self.seen.append((name, *given)), *required, registry=registry
        )

    def both(self, do, other, *args):
        """Return what is seen when the one and when the other is called."""
        found = []
        for call in (do, other):
            self.seen = []
            try:
                call(*args)
            except Exception as error:
                self.seen.append((type(error), str(error)))
            found.append(self.seen)
        return found

    def assert_same(self, *args):
        """Let `fire` and `notify` reach the same ones, and return whom."""
        ours, theirs = self.both(fire, event.notify, *args)
        self.assertEqual(ours, theirs)
        return ours


class FiringTests(EventsTestCase):
    """`fire` does what `notify` does."""

    def test_subscribers_of_events_and_of_objects_in_their_order(self):
        self.see("all", Interface)
        self.see("modified", IObjectModifiedEvent)
        self.see("thing", IThing, IObjectModifiedEvent)
        self.see("any thing", Interface, IObjectEvent)
        self.see("added", IThing, IObjectAddedEvent)
        found = self.assert_same(ObjectModifiedEvent(Thing()))
        self.assertCountEqual(
            [name for name, *_ in found], ["all", "modified", "thing", "any thing"]
        )
        self.assert_same(ObjectModifiedEvent(object()))
        self.assertEqual(len(self.assert_same(object())), 1)

    def test_subscribers_of_a_site(self):
        site = Site()
        self.see("thing here", IThing, IObjectModifiedEvent, registry=site.components)
        self.see("thing", IThing, IObjectModifiedEvent)
        self.see("here", IObjectModifiedEvent, registry=site.components)
        modified = ObjectModifiedEvent(Thing())
        self.assertEqual(len(self.assert_same(modified)), 1)
        setSite(site)
        self.assertEqual(len(self.assert_same(modified)), 3)

    def test_subscriber_that_comes_with_the_event(self):
        registry = component.getGlobalSiteManager()

        def late(*_given):
            self.seen.append(("late",))

        def come(found):
            if IObjectModifiedEvent.providedBy(found):
                registry.registerHandler(late, (IThing, IObjectModifiedEvent))

        registry.unregisterHandler(objectEventNotify, (IObjectEvent,))
        self.subscribe(come, IObjectEvent)
        self.subscribe(objectEventNotify, IObjectEvent)
        for call in (fire, event.notify):
            self.seen.clear()
            call(ObjectModifiedEvent(Thing()))
            self.assertEqual(self.seen, [("late",)])
            registry.unregisterHandler(late, (IThing, IObjectModifiedEvent))

    def test_errors_come_through_and_stop_the_others(self):
        def fail(*_given):
            raise KeyError("no")

        self.see("first", IThing, IObjectModifiedEvent)
        self.subscribe(fail, IThing, IObjectModifiedEvent)
        self.see("last", IThing, IObjectModifiedEvent)
        found = self.assert_same(ObjectModifiedEvent(Thing()))
        self.assertEqual([name for name, *_ in found], ["first", KeyError])

    def test_who_listens_to_everything(self):
        self.addCleanup(event.subscribers.remove, self.seen.append)
        event.subscribers.append(self.seen.append)
        modified = ObjectModifiedEvent(Thing())
        fire(modified)
        self.assertEqual(self.seen, [modified])

    def test_nobody_listens(self):
        former = event.subscribers[:]
        self.see("all", Interface)
        event.subscribers.clear()
        self.addCleanup(event.subscribers.extend, former)
        self.assertEqual(self.assert_same(ObjectModifiedEvent(Thing())), [])


class PuttingTests(EventsTestCase):
    """`put` does what `setitem` does, and `take_out` what `uncontained` does."""

    def setUp(self):
        super().setUp()
        self.subscribe(dispatchToSublocations, Interface, IObjectMovedEvent)
        for iface in (IObjectMovedEvent, IContainerModifiedEvent):
            self.subscribe(self.note, iface)
            self.subscribe(lambda _obj, found: self.note(found), Interface, iface)

    def note(self, found):
        """Remember what an event says."""
        parts = ("oldParent", "oldName", "newParent", "newName")
        self.seen.append((type(found), *(getattr(found, part, None) for part in parts)))

    def test_like_setitem(self):
        there, elsewhere, other = Thing(), Thing(), SampleContainer()
        for name, make in (
            ("new", Thing),
            ("\xe4", Thing),
            (b"bytes", Thing),
            (b"\xe4", Thing),
            ("", Thing),
            (1, Thing),
            ("there", lambda: there),
            ("there", Thing),
            ("again", lambda: there),
            ("moved", lambda: elsewhere),
        ):
            found = []
            for do in (put, setitem):
                data = {}
                box = SampleContainer()
                box._SampleContainer__data = data
                there.__parent__, there.__name__ = box, "there"
                data["there"] = there
                elsewhere.__parent__, elsewhere.__name__ = other, "elsewhere"
                self.seen = []
                thing = make()
                try:
                    do(box, data.__setitem__, name, thing)
                except Exception as error:
                    self.seen.append((type(error), str(error)))
                place = thing.__parent__ is box, thing.__name__, list(data)
                said = [
                    tuple("box" if part is box else part for part in parts) for parts in self.seen
                ]
                found.append((said, place))
            with self.subTest(name=name):
                self.assertEqual(*found)

    def test_like_uncontained(self):
        box, other = SampleContainer(), SampleContainer()
        for parent, name, is_broken in (
            (box, "there", False),
            (box, "there", True),
            (box, "renamed", False),
            (other, "there", False),
            (None, "there", False),
            (None, None, False),
        ):
            found = []
            for do in (take_out, uncontain):
                thing = Thing()
                thing.__parent__, thing.__name__ = parent, name
                if is_broken:
                    alsoProvides(thing, IBroken)
                self.seen = []
                do(box, "there", thing)
                found.append((self.seen, thing.__parent__, thing.__name__))
            with self.subTest(parent=parent, name=name, is_broken=is_broken):
                self.assertEqual(*found)

    def test_what_has_no_place(self):
        for do in (take_out, uncontain):
            with self.assertRaises(AttributeError):
                do(SampleContainer(), "there", object())


def uncontain(box, name, thing):
    """Take a thing out of a box as zope does."""
    uncontained(thing, box, name)
