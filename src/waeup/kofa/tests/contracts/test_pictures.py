"""What contracts see of a portal."""

import unittest

import grok
from BTrees.OOBTree import OOBTree
from persistent import Persistent
from persistent.mapping import PersistentMapping
from zope.component import (
    getGlobalSiteManager,
    getUtility,
    provideAdapter,
    provideHandler,
    provideUtility,
    queryAdapter,
    queryUtility,
)
from zope.interface import Interface, directlyProvides

from waeup.kofa.testing import KofaUnitTestLayer, SampleSite
from waeup.kofa.testing.layers import passing_registrations
from waeup.kofa.testing.pictures import differences, picture_of


class Part(Persistent):
    """A part that has no place of its own."""

    def __init__(self, size):
        self.size = size


class PictureTests(unittest.TestCase):
    """`picture_of` and `differences`."""

    layer = KofaUnitTestLayer

    def setUp(self):
        self.site = SampleSite()
        self.site["cave"] = self.cave = grok.Container()
        self.former = picture_of(self.site)

    def assert_differs(self, text):
        """Expect one difference from the beginning."""
        self.assertEqual(differences(self.former, picture_of(self.site)), text)

    def test_the_same_has_no_differences(self):
        self.assert_differs("")

    def test_objects_and_attributes(self):
        self.cave["bat"] = bat = grok.Model()
        bat.age = 3
        self.assert_differs(
            "cave._BTreeContainer__len: nothing became 1; "
            "cave/bat: nothing became 'Model'; cave/bat.age: nothing became 3"
        )

    def test_what_has_no_value_is_left_out(self):
        for value in (None, [], {}, set(), (), OOBTree(), PersistentMapping()):
            self.cave.thing = value
            self.assert_differs("")

    def test_values_are_compared_by_what_is_in_them(self):
        for value, text in (
            ([1, "a"], "[1, 'a']"),
            ({"b": 1, "a": None}, "{'b': 1}"),
            (OOBTree({"b": [1]}), "{'b': [1]}"),
            ({2, 1}, "['1', '2']"),
            (Part(5), "{'size': 5}"),
            (Part, "'type'"),
        ):
            with self.subTest(text):
                self.cave.thing = value
                self.assert_differs(f"cave.thing: nothing became {text}")

    def test_a_reference_is_a_path_and_an_index_is_no_state(self):
        self.cave.neighbour = self.site["users"]
        self.cave._index = OOBTree({"users": self.site["users"]})
        self.assert_differs("cave.neighbour: nothing became '-> portal/users'")

    def test_a_part_with_a_place_is_visited(self):
        self.cave.door = door = grok.Container()
        door.__parent__, door.__name__ = self.cave, "door"
        door["lock"] = grok.Model()
        self.assert_differs(
            "cave.door: nothing became 'Container'; cave.door._BTreeContainer__len: nothing "
            "became 1; cave.door/lock: nothing became 'Model'"
        )

    def test_the_data_center_is_no_part(self):
        self.site["datacenter"].thing = 5
        self.assert_differs("")

    def test_long_lists_are_shortened(self):
        for number in range(7):
            setattr(self.cave, f"a{number}", "x" * 200)
        text = differences(self.former, picture_of(self.site))
        self.assertEqual(text.count("; "), 5)
        self.assertTrue(text.endswith("and 2 more"), text)

    def test_extra_state(self):
        picture = picture_of(self.site, lambda obj: ["told"] if obj is self.cave else None)
        self.assertEqual(picture["cave (extra state)"], ["told"])


class ICave(Interface):
    """Something to register."""


class PassingRegistrationsTests(unittest.TestCase):
    """What is registered within the block is gone, and what was there is there still."""

    layer = KofaUnitTestLayer

    def test_utilities_go_and_others_stay(self):
        before = object()
        provideUtility(before, ICave, "before")
        self.addCleanup(getGlobalSiteManager().unregisterUtility, before, ICave, "before")
        heard = []
        with passing_registrations():
            provideUtility(object(), ICave, "within")
            provideHandler(heard.append, (ICave,))
            provideAdapter(lambda obj: "adapted", (ICave,), ICave, "within")
            self.assertEqual(self.registered(), (True, 1, "adapted"))
        self.assertEqual(self.registered(), (False, 0, None))
        self.assertIs(getUtility(ICave, name="before"), before)

    def registered(self):
        """Return what is there of a utility, of handlers and of an adapter."""
        cave = grok.Model()
        directlyProvides(cave, ICave)
        return (
            queryUtility(ICave, name="within") is not None,
            len(list(getGlobalSiteManager().adapters.subscriptions((ICave,), None))),
            queryAdapter(cave, ICave, "within"),
        )
