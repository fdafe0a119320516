"""For each rule of the contracts there is a wrong implementation, which is told what to do."""

import ast
import functools
import os
import unittest
from typing import ClassVar

import grok
import transaction

from waeup.kofa.conversion import OwnConverter, is_ignored
from waeup.kofa.errors import FatalCSVError
from waeup.kofa.importing.completing import given
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.testing import KindContract, KofaUnitTestLayer, contract
from waeup.kofa.tests.contracts.creatures import (
    WRONG,
    Anything,
    Creature,
    CreatureExporter,
    CreatureProcessor,
    CreatureTests,
    two,
    wrong,
)
from waeup.kofa.tests.contracts.declarations import DeclaringTests

# -- what a processor says about itself --------------------------------------------------


@wrong("processor_has_all_that_its_interface_names", "updateEntry", "keep the arguments")
class OtherArguments(CreatureProcessor):
    def updateEntry(self, obj, row):
        return ""


@wrong("processor_is_registered_under_its_name", "'cave man'", "letters, digits")
class BlankInName(CreatureProcessor):
    util_name = "cave man"


@wrong("processor_is_registered_under_its_name", "no utility of that class", "Let Grok find")
class NotFound:
    is_registered = False


@wrong("processor_tells_people_what_it_is", "the title ''", "Set `name`")
class Untitled(CreatureProcessor):
    name = ""


@wrong("processor_tells_people_what_it_is", "`about` is None", "a sentence for officers")
class SaysNothingAbout(CreatureProcessor):
    about = property(lambda self: None)


@wrong("scope_is_declared", "the scope None", "Set `scope`")
class NoScope(CreatureProcessor):
    scope = property(lambda self: None)


class OtherScope(CreatureProcessor):
    util_name = "otherprocessor"
    scope = "other"


@wrong("scope_is_declared", "otherprocessor writes into 'herd', too", "the same `scope`")
class Scopes:
    def setUp(self):
        CreatureTests.setUp(self)
        self.register(OtherScope(), IBatchProcessor, "otherprocessor")


@wrong("permission_exists", "'waeup.hunt'", "define it")
class NoPermission(CreatureProcessor):
    permission = "waeup.hunt"


@wrong("modes_and_columns", "`iface` is None", "Name the schema interface")
class Schemaless(CreatureProcessor):
    iface = property(lambda self: None)


@wrong("modes_and_columns", "getHeaders('create') names columns", "the same columns")
class MoreHeaders(CreatureProcessor):
    def getHeaders(self, mode="create"):
        return [*super().getHeaders(mode), "size"]


@wrong("modes_and_columns", "('destroy',)", "Name at least one of create")
class UnknownMode(CreatureProcessor):
    modes = ("destroy",)


@wrong("modes_and_columns", "needs ['size']", "Add them to `available_fields`")
class UnknownColumn(CreatureProcessor):
    @property
    def req(self):
        return {**super().req, "update": ["code", "size"]}


@wrong("modes_and_columns", "'update' needs [None]", "`req` has a list for each mode")
class NoListForUpdate(CreatureProcessor):
    modes = ("create", "update")
    req = {"create": ["code"], "remove": ["code"], "upsert": ["code"]}


@wrong("modes_and_columns", "available_fields are ['title', 'code']", "sorted")
class Unsorted(CreatureProcessor):
    available_fields = ["title", "code"]


@wrong("headers_are_checked", "did not return True", "Return True")
class Silent(CreatureProcessor):
    def checkHeaders(self, headerfields, mode="create"):
        super().checkHeaders(headerfields, mode)


@wrong("headers_are_checked", "'code' is missing", "Raise")
class TakesAll(CreatureProcessor):
    def checkHeaders(self, headerfields, mode="create"):
        return True


@wrong("headers_are_checked", "'code' is there twice", "Raise")
class TakesDoubles(CreatureProcessor):
    def checkHeaders(self, headerfields, mode="create"):
        return super().checkHeaders(list(dict.fromkeys(headerfields)), mode)


@wrong("headers_are_checked", "does not name it: Wrong.", "Name the column")
class Vague(CreatureProcessor):
    def checkHeaders(self, headerfields, mode="create"):
        try:
            return super().checkHeaders(headerfields, mode)
        except FatalCSVError:
            raise FatalCSVError("Wrong")


@wrong("template_can_be_filled_and_imported", "'code'", "as one line of CSV")
class NoTemplate(CreatureProcessor):
    def get_csv_skeleton(self):
        return "code"


@wrong("template_can_be_filled_and_imported", "'../creatures.csv'", "the name of a file")
class TemplateElsewhere(CreatureProcessor):
    template_name = "../creatures.csv"


@wrong("template_can_be_filled_and_imported", "failed", "An empty cell says nothing")
class EmptyIsWrong(CreatureProcessor):
    def checkCreateRequirements(self, parent, row, site):
        return "key: not ours" if "key" in row else None


# -- text to values ------------------------------------------------------------------------


@wrong("conversion_is_pure", "has made {'code'", "Work on a copy")
class PopsCell(CreatureProcessor):
    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        row.pop("title", None)
        return super().checkConversion(row, mode, ignore_empty)


@wrong("conversion_is_pure", "changed the portal", "Change nothing")
class WritesWhileConverting(CreatureProcessor):
    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        grok.getSite()["herd"].last = row["code"]
        transaction.commit()
        return super().checkConversion(row, mode, ignore_empty)


@wrong("conversion_is_pure", "changed objects: Herd", "Change nothing")
class SetsWhileConverting(CreatureProcessor):
    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        if mode == "update":
            grok.getSite()["herd"].last = row["code"]
        return super().checkConversion(row, mode, ignore_empty)


_ASKED: list = []


@wrong("conversion_is_pure", "then", "depend on the row")
class Moody(CreatureProcessor):
    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        _ASKED.append(row)
        errors, broken, values = super().checkConversion(row, mode, ignore_empty)
        return errors, broken, {**values, "weight": len(_ASKED)}


@wrong("wrong_cells_are_refused", "created", "Refuse 'heavy' in 'weight'")
class Lenient(CreatureProcessor):
    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        row = {name: text for name, text in row.items() if text != "heavy"}
        return super().checkConversion(row, mode, ignore_empty)


@wrong("wrong_cells_are_refused", "updated, not", "Refuse 'heavy' in 'weight'", add_objects=two)
class LenientUpdater(Lenient):
    modes = ("update",)


@wrong("wrong_cells_are_refused", "the object of the row is there", "Make nothing before")
class MakesFirst(CreatureProcessor):
    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        errors, broken, values = super().checkConversion(row, mode, ignore_empty)
        if errors:
            super().addEntry(Creature(), row, grok.getSite())
        return errors, broken, values


@wrong("wrong_cells_are_refused", "does not name 'weight'", "Begin the message")
class Nameless(CreatureProcessor):
    def stringFromErrs(self, errors, inv_errors):
        return "something is wrong"


@wrong("wrong_cells_are_refused", "created", "Refuse 'No sense 4711?' in 'weight'", wrong={})
class TakesNonsense(CreatureProcessor):
    def checkConversion(self, row, mode="ignore", ignore_empty=True):
        row = {name: text for name, text in row.items() if name != "weight"}
        return super().checkConversion(row, mode, ignore_empty)


@wrong("wrong_cells_are_refused", "created", "Refuse '1' in 'weight', 'Elephant' in 'title'")
class LightElephant:
    wrong_rows = [{"weight": "1", "title": "Elephant"}]


@wrong("wrong_cells_are_refused", "nothing says what is wrong", "nothing_is_wrong = True")
class NothingWrong:
    processor = Anything
    rows = [{"code": "A", "title": "Ant"}, {"code": "B", "title": "Bear"}]
    changes = {"title": "Aunt"}
    wrong: dict = {}


# -- what rows do ----------------------------------------------------------------------------


@wrong("create", "getEntry finds no object", "where `getEntry` looks")
class PutsElsewhere(CreatureProcessor):
    def addEntry(self, obj, row, site):
        site["herd"][row["code"].lower()] = obj


@wrong("create", "title is 'ANT'", "that `updateEntry` can set")
class Shouts(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        text = super().updateEntry(obj, row, site, filename)
        obj.title = obj.title.upper()
        return text


@wrong("create", "failed, failed (RuntimeError: no room", "override `fill_site`")
class Full(CreatureProcessor):
    def addEntry(self, obj, row, site):
        raise RuntimeError("no room")


@wrong("object_is_made_for_a_database", "has no __parent__", "put them into a grok.Container")
class PutsNowhere(CreatureProcessor):
    def getEntry(self, row, site):
        return getattr(site["herd"], "others", {}).get(row["code"])

    def addEntry(self, obj, row, site):
        site["herd"].others = {**getattr(site["herd"], "others", {}), row["code"]: obj}


class Keyless(grok.Model):
    code = title = weight = tags = remark = None


@wrong("object_is_made_for_a_database", "has no attributes key.", "a default")
class Poor(CreatureProcessor):
    factory = Keyless


@wrong("what_exists_is_not_made_again", "created", "find the object")
class Replaces(CreatureProcessor):
    def entryExists(self, row, site):
        return False

    def addEntry(self, obj, row, site):
        site["herd"].pop(row["code"], None) if hasattr(site["herd"], "pop") else None
        if row["code"] in site["herd"]:
            del site["herd"][row["code"]]
        site["herd"][row["code"]] = obj


@wrong("what_exists_is_not_made_again", "herd.met: nothing became", "use getEntry")
class NotesWhatExists(CreatureProcessor):
    def entryExists(self, row, site):
        if super().entryExists(row, site):
            site["herd"].met = row["code"]
            transaction.commit()
            return True
        return False


@wrong("update", "not updated", "set the attributes and return a text")
class SaysNothing(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        if obj.__parent__ is None:
            return super().updateEntry(obj, row, site, filename)
        return ""


@wrong("update", "an object of another row has changed", "Do not share")
class ChangesAll(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        for other in site["herd"].values():
            other.weight = row.get("weight")
        return super().updateEntry(obj, row, site, filename)


@wrong("update", "not found any more as before", "Change one object only")
class MakesOthersAnew(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        herd = site["herd"]
        for name, other in list(herd.items()):
            if obj.__parent__ is herd and other is not obj:
                del herd[name]
                herd[name] = Creature()
        return super().updateEntry(obj, row, site, filename)


@wrong("upsert", "failed", "Let upsert make")
class NoUpsert(CreatureProcessor):
    def getEntry(self, row, site):
        found = super().getEntry(row, site)
        if found is None and not row.get("remark"):
            raise ValueError("there is none")
        return found

    def callFactory(self, *args, **kw):
        raise ValueError("no such thing")


@wrong(
    "update_again_changes_nothing",
    "['x', 'x', 'y'] became ['x', 'x', 'y', 'x', 'y']",
    "do not add",
)
class Adds(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        tags = row.get("tags")
        if isinstance(tags, list):
            row = {**row, "tags": [*(obj.tags or ()), *tags]}
        return super().updateEntry(obj, row, site, filename)


@wrong("update_again_changes_nothing", "weight: no change", "accept a row that changes nothing")
class WantsChanges(CreatureProcessor):
    def checkUpdateRequirements(self, obj, row, site):
        return "weight: no change" if obj.weight == row.get("weight") else None


@wrong("empty_cells_and_markers", "cells with ''", "Pass over values")
class SetsMarkers(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        for name, value in row.items():
            setattr(obj, name, value)
        return super().updateEntry(obj, row, site, filename)


@wrong("empty_cells_and_markers", "cells with '' were refused: nothing to do", "Accept a row")
class WantsCells(CreatureProcessor):
    def checkUpdateRequirements(self, obj, row, site):
        return None if any(name != "code" for name in given(row)) else "nothing to do"


@wrong("empty_cells_and_markers", "after a row with 'XXX'", "refuse the row")
class Keeps(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        row = {name: value for name, value in row.items() if value is not None}
        return super().updateEntry(obj, row, site, filename) or "nothing"


@wrong("remove", "the object of row 1 is there", "Delete the object")
class Holds(CreatureProcessor):
    def delEntry(self, row, site):
        pass


@wrong("remove", "the object of row 2 is gone", "Delete the object")
class RemovesAll(CreatureProcessor):
    def delEntry(self, row, site):
        for name in list(site["herd"]):
            del site["herd"][name]


@wrong("remove", "failed (it stays), not removed", "Delete the object")
class Guards(CreatureProcessor):
    def checkRemoveRequirements(self, obj, row, site):
        return "it stays"


@wrong("remove", "removed, not failed", "Let `entryExists` return False")
class RemovesAgain(CreatureProcessor):
    def entryExists(self, row, site):
        return "title" not in row or super().entryExists(row, site)

    def delEntry(self, row, site):
        if row["code"] in site["herd"]:
            del site["herd"][row["code"]]


@wrong("do_import", "doImport returned", "Return (rows, failed rows")
class ReturnsLess(CreatureProcessor):
    def doImport(self, path, headerfields, mode="create", user="Unknown", logger=None):
        return (*super().doImport(path, headerfields, mode, user, logger)[:3], "pending.csv")


@wrong("do_import", "it has committed", "Leave the transaction")
class CommitsAtTheEnd(CreatureProcessor):
    def doImport(self, *args, **kw):
        found = super().doImport(*args, **kw)
        transaction.commit()
        return found


@wrong("do_import", "an import that was aborted left files", "a data manager that joins")
class NotesImports(CreatureProcessor):
    def doImport(self, *args, **kw):
        with open(os.path.join(grok.getSite()["datacenter"].storage, "seen"), "a") as stream:
            stream.write("x")
        return super().doImport(*args, **kw)


# -- finding objects -------------------------------------------------------------------------


@wrong("what_is_not_there_is_no_error", "KeyError: 'herd', raised in getEntry", "Mend what")
class Raises(CreatureProcessor):
    def getEntry(self, row, site):
        return site["herd"][row["code"]]


@wrong("what_is_not_there_is_no_error", "do not agree", "Let `getParent` return None")
class Optimist(CreatureProcessor):
    def parentsExist(self, row, site):
        return True


@wrong("what_is_not_there_is_no_error", "getEntry 'nothing'", "Return False, and None")
class Nothing(CreatureProcessor):
    def getEntry(self, row, site):
        return super().getEntry(row, site) or "nothing"


@wrong("what_is_not_there_is_no_error", "removed, not failed", "Let `getEntry` return None")
class RemovesNothing(RemovesAgain):
    pass


@wrong("looking_changes_nothing", "Creature", "Set nothing in hooks that look")
class Touches(CreatureProcessor):
    def getEntry(self, row, site):
        found = super().getEntry(row, site)
        if found is not None:
            found.looked = True
        return found


@wrong("looking_changes_nothing", "herd/A.looked: nothing became", "Set nothing in hooks")
class TouchesForGood(Touches):
    def getEntry(self, row, site):
        found = super().getEntry(row, site)
        transaction.commit()
        return found


@wrong("looking_changes_nothing", "changed objects: Creature", "Set nothing in hooks that look")
class TouchesWhileAsked(CreatureProcessor):
    def checkUpdateRequirements(self, obj, row, site):
        obj.asked = True


@wrong("looking_changes_nothing", "changed objects: Herd", "Set nothing in hooks that look")
class CountsQuestions(CreatureProcessor):
    def checkNumbers(self, numbers, site):
        site["herd"].questions = numbers.created


@wrong("looking_changes_nothing", "became", "Leave the row")
class TouchesRow(CreatureProcessor):
    def parentsExist(self, row, site):
        row["parent"] = "herd"
        return super().parentsExist(row, site)


@wrong("requirements_are_messages", "returned False", "Return None where all is well")
class SaysFalse(CreatureProcessor):
    def checkRemoveRequirements(self, obj, row, site):
        return False


@wrong("requirements_are_messages", "checkNumbers returned True", "a text for people")
class SaysTrue(CreatureProcessor):
    def checkNumbers(self, numbers, site):
        return numbers.created > 1000 or None


@wrong("row_key_agrees_with_get_entry", "changes with the columns", "`location_fields`")
class KeyOfTitle(CreatureProcessor):
    def getRowKey(self, row):
        key = super().getRowKey(row)
        return key and f"{key} {row.get('title')}"


@wrong("row_key_agrees_with_get_entry", "with values, and", "asked about both")
class KeyOfTypes(CreatureProcessor):
    def getRowKey(self, row):
        key = super().getRowKey(row)
        return key and f"{key} {row.get('weight')!r}"


@wrong("row_key_agrees_with_get_entry", "two objects have the key 'creature'", "`location_fields`")
class SameKey(CreatureProcessor):
    def getRowKey(self, row):
        return "creature" if super().getRowKey(row) else None


@wrong("row_key_agrees_with_get_entry", "2 rows have 1 keys", "`location_fields`")
class OneKey(CreatureProcessor):
    def getRowKey(self, row):
        return "creature" if super().getRowKey(row) else None

    def getEntry(self, row, site):
        return next(iter(site["herd"].values()), None)

    def entryExists(self, row, site):
        return super().getEntry(row, site) and row["code"] in site["herd"]


@wrong("row_key_agrees_with_get_entry", "names no object", "Return None")
class AlwaysKey(CreatureProcessor):
    def getRowKey(self, row):
        return str(row.get("code"))


@wrong("objects_are_counted", "more 0", "Count the objects")
class CountsNone(CreatureProcessor):
    def countEntries(self, site):
        return 0


# -- what belongs to the transaction ---------------------------------------------------------


@wrong("hooks_leave_the_transaction_alone", "ended by addEntry", "Take `transaction.begin()`")
class Commits(CreatureProcessor):
    def addEntry(self, obj, row, site):
        super().addEntry(obj, row, site)
        transaction.commit()


@wrong("hooks_leave_the_transaction_alone", "in the mode remove", "Take `transaction.begin()`")
class Begins(CreatureProcessor):
    def delEntry(self, row, site):
        transaction.begin()
        super().delEntry(row, site)


_SEEN: set = set()


@wrong("a_row_that_fails_late_leaves_nothing", "fails once more", "Remember nothing")
class SeesOnce(CreatureProcessor):
    def checkCreateRequirements(self, parent, row, site):
        _SEEN.clear() if not len(parent) and row["code"] not in _SEEN else None
        if row["code"] in _SEEN:
            return "seen before"
        _SEEN.add(row["code"])
        return None


@wrong("a_row_that_fails_late_leaves_nothing", "left files", "a data manager that joins")
class WritesFiles(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        with open(os.path.join(site["datacenter"].storage, "seen"), "a") as stream:
            stream.write(row["code"])
        return super().updateEntry(obj, row, site, filename)


@wrong("a_row_that_fails_late_leaves_nothing", "not failed", "Let exceptions of hooks through")
class Swallows(CreatureProcessor):
    def __init__(self):
        self.addEntry = self.add

    def add(self, obj, row, site):
        try:
            type(self).addEntry(self, obj, row, site)
        except ValueError:
            return


@wrong("a_row_that_fails_late_leaves_nothing", "herd.visits: nothing became", "Change persistent")
class CommitsElsewhere(CreatureProcessor):
    def checkCreateRequirements(self, parent, row, site):
        manager = transaction.TransactionManager()
        other = site._p_jar.db().open(manager)
        other.root()["portal"]["herd"].visits = 1
        manager.commit()
        other.close()


_UPDATED: list = []


@wrong("repeating_a_batch_gives_the_same", "and then", "`waeup.kofa.importing.hooks.once`")
class Grows(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        _UPDATED.append(obj.code)
        return super().updateEntry(obj, {**row, "weight": len(_UPDATED)}, site, filename)


@wrong("check_leaves_no_trace", "left files: /", "joins the transaction")
class WritesFilesToo(WritesFiles):
    pass


@wrong("check_leaves_no_trace", "has committed", "Never commit")
class CommitsToo(CreatureProcessor):
    def checkCreateRequirements(self, parent, row, site):
        site["herd"].visits = getattr(site["herd"], "visits", 0) + 1
        transaction.commit()


_TOLD: dict = {}


@wrong("check_leaves_no_trace", "A (extra state): '5' became '6'", "Change persistent objects")
class KeepsOutside(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        _TOLD[row["code"]] = row.get("weight")
        return super().updateEntry(obj, row, site, filename)

    def getExtraState(self, obj):
        return str(_TOLD.get(obj.code))


@wrong("processor_remembers_nothing", "have set self.last", "Keep nothing on the processor")
class Remembers(CreatureProcessor):
    def getEntry(self, row, site):
        self.last = row["code"]
        return super().getEntry(row, site)


@wrong("processor_remembers_nothing", "RemembersInClass.known", "Keep nothing on the processor")
class RemembersInClass(CreatureProcessor):
    known: list = []

    def addEntry(self, obj, row, site):
        self.known.append(row["code"])
        super().addEntry(obj, row, site)


@wrong("events_are_fired", "no IObjectAddedEvent", "put it into its container")
class PutsSilently(CreatureProcessor):
    def addEntry(self, obj, row, site):
        obj.__parent__, obj.__name__ = site["herd"], row["code"]
        site["herd"]._setitemf(row["code"], obj)


@wrong("events_are_fired", "no IObjectModifiedEvent", "call `super().updateEntry`")
class SetsSilently(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        for name, value in row.items():
            if not is_ignored(value):
                setattr(obj, name, value)
        return "all"


@wrong("events_are_fired", "no IObjectRemovedEvent", "delete it from its container")
class RemovesSilently(CreatureProcessor):
    def delEntry(self, row, site):
        del site["herd"]._SampleContainer__data[row["code"]]


# -- undo ------------------------------------------------------------------------------------


@wrong("undo", "herd.weights", "`getExtraState`")
class KeepsElsewhere(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        herd = site["herd"]
        herd.weights = {**getattr(herd, "weights", {}), row["code"]: row.get("weight")}
        return super().updateEntry(obj, row, site, filename)


class Tons(OwnConverter):
    """Weights as they are; a kind with a converter has another schema for its rows."""

    def convert(self, text):
        return int(text)


@wrong("undo", "A (extra state)", "`setExtraState`")
class ForgetsExtraState(CreatureProcessor):
    converters = {"weight": Tons}

    def updateEntry(self, obj, row, site, filename):
        told = site["datacenter"].__dict__.setdefault("told", {})
        site["datacenter"].told = {**told, obj.code: row.get("weight")}
        return super().updateEntry(obj, row, site, filename)

    def getExtraState(self, obj):
        return str(getattr(grok.getSite()["datacenter"], "told", {}).get(obj.code))


@wrong("undo", "egg", "`getExtraState`")
class Empties(CreatureProcessor):
    def delEntry(self, row, site):
        creature = site["herd"][row["code"]]
        for name in list(creature):
            del creature[name]
        super().delEntry(row, site)


@wrong("undo", "were not taken back", "Keep objects in containers")
class Moves(CreatureProcessor):
    def addEntry(self, obj, row, site):
        super().addEntry(obj, row, site)
        obj.__name__ = "moved"


# -- secrets ---------------------------------------------------------------------------------


@wrong("secrets_stay_secret", "is in the log", "log what `super().updateEntry` returns")
class LogsRow(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        site["herd"].logger.info("%s", dict(row))
        return super().updateEntry(obj, row, site, filename)


@wrong("secrets_stay_secret", "is in the reasons", "Declare the field as")
class TellsHash(CreatureProcessor):
    def entryExists(self, row, site):
        if super().entryExists(row, site):
            raise ValueError(f"{row['code']} {row['key']} is there")
        return False


@wrong("secrets_stay_secret", "not created, failed", "Let rows with a password be imported")
class WithoutKeys(CreatureProcessor):
    def checkCreateRequirements(self, parent, row, site):
        return "no keys" if isinstance(row.get("key"), str) and "$" in row["key"] else None


@wrong("secrets_stay_secret", "is in the database", "use the value that hooks get")
class StoresPassword(CreatureProcessor):
    def applyMapping(self, row, mapping):
        grok.getSite()["herd"].last = dict(row)
        return super().applyMapping(row, mapping)


@wrong("secrets_stay_secret", "is in the finished file", "use the value that hooks get")
class ReturnsPassword(CreatureProcessor):
    def applyMapping(self, row, mapping):
        row = super().applyMapping(row, mapping)
        row["remark"] = row.get("key", "")
        return row


# -- exporters -------------------------------------------------------------------------------


@wrong("exporter_has_all_that_its_interface_names", "mangle_value", "Inherit from")
class OtherCells(CreatureExporter):
    def mangle_value(self, value):
        return ""


@wrong("exporter_is_registered", "no utility of that class", "`grok.name`")
class NotRegistered:
    is_registered = False


@wrong("exporter_is_registered", "the title 'Override this title'", "Set `title`")
class NoTitle(CreatureExporter):
    title = "Override this title"


@wrong("export_permission_exists", "'waeup.hunt'", "Correct `permission`")
class NoExportPermission(CreatureExporter):
    permission = "waeup.hunt"


@wrong("columns_are_declared", "('code', 'code')", "each once")
class Twice(CreatureExporter):
    fields = ("code", "code")


@wrong("columns_are_declared", "secrets are written: ['key']", "`secret_fields`")
class ShowsSecrets(CreatureExporter):
    fields = ("code", "key")
    secret_fields = ()


@wrong("columns_are_declared", "declared are ('code', 'title')", "that are written")
class WritesOthers(CreatureExporter):
    fields = ("code", "title")

    def export_all(self, site, filepath=None):
        return "code,name\r\nA,Ant\r\nB,Bear\r\n"


@wrong("objects_are_exported", "there are 0 objects", "that `get_filtered` finds")
class Blind(CreatureExporter):
    def objects(self, site):
        return iter(())


@wrong("objects_are_exported", "2 objects, and 1 rows", "a row for each object")
class Passes(CreatureExporter):
    def write_item(self, obj, writer):
        if obj.code != "B":
            super().write_item(obj, writer)


@wrong("objects_are_exported", "`count` says 7", "Count the same objects")
class Miscounts(CreatureExporter):
    def count(self, site):
        return 7


@wrong("objects_are_exported", "export_all returned None", "Return the text")
class NoText(CreatureExporter):
    def export_all(self, site, filepath=None):
        super().export_all(site, filepath=filepath)


@wrong("objects_are_exported", "besides the file", "Return None")
class ReturnsBoth(CreatureExporter):
    def export_all(self, site, filepath=None):
        text = super().export_all(site)
        if filepath is not None:
            with open(filepath, "w", newline="") as stream:
                stream.write(text)
        return text


@wrong("objects_are_exported", "the file differs", "Write the same")
class WritesLess(CreatureExporter):
    def export_all(self, site, filepath=None):
        first = list(self.objects(site))[:1]
        return self.export(
            first if filepath and "kofa-export" not in filepath else self.objects(site), filepath
        )


@wrong("export_changes_nothing", "it changed files", "Read, and change nothing")
class LeavesFiles(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        with open("exported.txt", "a") as stream:
            stream.write(name)
        return super().mangle_value(value, name, context)


@wrong("export_changes_nothing", "it has set KeepsLast.newest", "on the exporter")
class KeepsLast(CreatureExporter):
    newest = None

    def mangle_value(self, value, name, context=None):
        type(self).newest = context.code
        return super().mangle_value(value, name, context)


@wrong("export_changes_nothing", "Creature", "Set nothing on objects")
class Marks(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        context.exported = True
        return super().mangle_value(value, name, context)


_CELLS: list = []


@wrong("export_changes_nothing", "and then", "Write what objects are")
class Numbers(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        _CELLS.append(name)
        return f"{len(_CELLS)}"


@wrong("objects_are_not_loaded_at_once", "1 of the other objects", "Return a generator")
class Sorts(CreatureExporter):
    def get_filtered(self, site, **kw):
        return sorted(super().get_filtered(site, **kw), key=lambda one: one.title)


@wrong("cells_are_made_of_all_values", "safe_cells is off", "Leave it on")
class Unsafe(CreatureExporter):
    safe_cells = False


@wrong("cells_are_made_of_all_values", "raised", "Return a text for each")
class Fragile(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        return value + "" if name == "tags" else super().mangle_value(value, name, context)


@wrong("keys_select", "selects 0 objects", "Let `find` return")
class FindsNothing(CreatureExporter):
    def find(self, site, key):
        return ()


@wrong("keys_select", "nobody has selects 2", "Return none for it")
class FindsAll(CreatureExporter):
    def find(self, site, key):
        return self.objects(site)


@wrong("keys_select", "twice, selects an object twice", "each object once")
class SelectsTwice(CreatureExporter):
    def get_selected(self, site, selected):
        return [site["herd"][key] for key in selected if key in site["herd"]]


@wrong("keys_select", "no object has a value in any of number", "name attributes")
class KeyOfNothing(CreatureExporter):
    key_fields = ("number",)


@wrong("filters_select", "selects an object with", "leave out what does not fit")
class FiltersNothing(CreatureExporter):
    def get_filtered(self, site, **kw):
        return self.objects(site)


@wrong("filters_select", "leaves out an object", "Compare the filter")
class FiltersAll(CreatureExporter):
    def get_filtered(self, site, **kw):
        return iter(()) if kw else self.objects(site)


@wrong("filters_select", "code='A', title='Bear' selects", "what does not fit each")
class FirstFilterOnly(CreatureExporter):
    def get_filtered(self, site, **kw):
        return super().get_filtered(site, **dict(list(kw.items())[:1]))


# -- kinds -----------------------------------------------------------------------------------


@wrong("columns_are_those_of_an_import", "no import takes: age", "Call columns like the fields")
class MoreColumns(CreatureExporter):
    fields = ("code", "title", "age")


@wrong("columns_are_those_of_an_import", "needs title, which", "Add them to `fields`")
class FewerColumns(CreatureExporter):
    fields = ("code", "weight")


@wrong("export_is_imported_unchanged", "herd/A.title: 'Ant' became 'ANT'", "Export every field")
class Capitals(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        text = super().mangle_value(value, name, context)
        return text.upper() if name == "title" else text


@wrong("export_is_imported_unchanged", "herd/A.remark: 'small' became nothing", "every field")
class LeavesOut(CreatureExporter):
    left_out = ("remark",)


@wrong("export_is_imported_unchanged", "not created, created", "agree about columns")
class WritesWords(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        return "five" if name == "weight" else super().mangle_value(value, name, context)


_SPACES: list = []


@wrong("export_is_imported_unchanged", "the second export is", "the form of cells")
class Pads(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        if name != "weight":
            return super().mangle_value(value, name, context)
        _SPACES.append(" ")
        return f"{''.join(_SPACES)}{value}"


@wrong("export_changes_nothing_when_it_is_imported_again", "herd/A.weight: 5 became 10", "agree")
class Doubles(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        text = super().mangle_value(value, name, context)
        return str(int(text) * 2) if name == "weight" else text


@wrong("export_changes_nothing_when_it_is_imported_again", "weight: no change", "accept a row")
class WantsMoreChanges(WantsChanges):
    pass


@wrong(
    "hostile_texts_come_back_as_they_were", "came back as {'title': 'behind a tab'", "do not strip"
)
class Strips(CreatureProcessor):
    def updateEntry(self, obj, row, site, filename):
        row = {
            name: value.strip() if isinstance(value, str) and not is_ignored(value) else value
            for name, value in row.items()
        }
        return super().updateEntry(obj, row, site, filename)


@wrong("objects_without_values_come_back", "failed", "as an empty cell")
class WritesNone(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        return "None" if value is None else super().mangle_value(value, name, context)


@wrong("objects_without_values_come_back", "weight: nothing became 7", "as an empty cell")
class WritesSeven(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        is_none = value is None and name == "weight"
        return "7" if is_none else super().mangle_value(value, name, context)


@wrong("objects_without_values_come_back", "weight: please", "Name in `req` what a new object")
class NeedsMore(CreatureProcessor):
    def checkCreateRequirements(self, parent, row, site):
        return None if isinstance(row.get("weight"), int) else "weight: please"


@wrong("secrets_come_back_for_who_may_ask", "has hashes", "Write no hash")
class WritesHash(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        return super().mangle_value(context.key if name == "remark" else value, name, context)


@wrong("secrets_come_back_for_who_may_ask", "came back as", "Write the attribute as it is")
class HidesHash(CreatureExporter):
    def mangle_value(self, value, name, context=None):
        return "***" if name == "key" else super().mangle_value(value, name, context)


@wrong("rows_of_removed_objects_are_kept", "there is no deleted/creatures.csv", "set `is_kept")
class Forgets(CreatureExporter):
    def backup_folder(self, obj):
        return None


@wrong("rows_of_removed_objects_are_kept", "came back otherwise: herd/A.remark", "every field")
class KeepsLess(CreatureExporter):
    left_out = ("remark",)


@wrong("rows_of_removed_objects_are_kept", "A was here before", "all that an import needs")
class Remembering(CreatureProcessor):
    def delEntry(self, row, site):
        site["herd"].gone = row["code"]
        super().delEntry(row, site)

    def checkCreateRequirements(self, parent, row, site):
        is_gone = getattr(parent, "gone", None) == row["code"]
        return f"{row['code']} was here before" if is_gone else None


# -- declarations ----------------------------------------------------------------------------


@wrong("create", "has 1 rows", "Declare at least two rows")
class OneRow:
    rows = CreatureTests.rows[:1]


@wrong("remove", "were refused: there is none", "put into the portal what they need")
class Refuses(CreatureProcessor):
    def checkCreateRequirements(self, parent, row, site):
        return "there is none"


@wrong("update", "what an update would change", "Declare `changes`")
class NoChanges:
    changes: dict = {}


@wrong("create", "no processor is registered as 'nobody'", "let the layer grok")
class UnknownProcessor:
    processor = "nobody"

    def setUp(self):
        KindContract.setUp(self)


@wrong("exporter_is_registered", "which exporter is tested", "Give it `exporter`")
class NoExporter:
    exporter = None

    def setUp(self):
        KindContract.setUp(self)


@wrong("create", "was not converted", "Declare rows of texts")
class NoTexts:
    rows = [{"code": "A", "title": "Ant"}, {"code": "B", "title": "Bear"}]
    key_columns = ("code",)

    def hook_row(self, row, mode="create"):
        return CreatureTests.hook_row(self, {**row, "weight": "-5"}, mode)


#: What is given the words for a broken rule.
TELLING = {
    "self.broken",
    "self.broken_for_all",
    "self.require_done",
    "self.require_same",
    "self.require_files",
    "self.require_nothing_to_write",
}

# -- the tests -------------------------------------------------------------------------------


class RightTests(CreatureTests, unittest.TestCase):
    """The kind from which the wrong ones are made keeps all rules."""


class RightDeclarations(DeclaringTests, unittest.TestCase):
    """So does the one that declares rules, computed fields and filters."""


class NothingIsWrong(CreatureTests, unittest.TestCase):
    """A kind of texts says that nothing can be wrong with them."""

    processor = Anything
    rows = [{"code": "A", "title": "Ant"}, {"code": "B", "title": "Bear"}]
    changes = {"title": "Aunt"}
    wrong: ClassVar[dict] = {}
    nothing_is_wrong = True


@functools.cache
def failures():
    """Return what has become of each case; they are run once."""
    return [case.failure() for case in WRONG]


def calls():
    """Generate the calls that tell a broken rule: file, first and last line."""
    folder = os.path.dirname(contract.__file__)
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".py"):
            continue
        path = os.path.join(folder, name)
        with open(path, encoding="utf-8") as stream:
            tree = ast.parse(stream.read())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in TELLING:
                yield path, node.lineno, node.end_lineno


class WrongTests(unittest.TestCase):
    """Each wrong implementation is found by its rule, whose message says what to do."""

    layer = KofaUnitTestLayer

    def test_each_is_found(self):
        for case, failure in zip(WRONG, failures(), strict=True):
            what = next(
                (one.__name__ for one in case.declared.values() if isinstance(one, type)),
                str(sorted(case.declared)),
            )
            with self.subTest(what, rule=case.rule):
                self.assertIsNotNone(failure, "the rule has not failed")
                rule, found, to_do = self.parts(failure[0])
                doc = getattr(KindContract, case.rule).__doc__.split("\n\n")[0]
                self.assertEqual(rule, " ".join(doc.split()))
                self.assertIn(case.found, found)
                self.assertIn(case.to_do, to_do)

    def test_each_message_has_one(self):
        reached = set().union(*(failure[1] for failure in failures() if failure))
        missing = [
            f"{os.path.basename(path)}, line {first}"
            for path, first, last in calls()
            if not any((path, line) in reached for line in range(first, last + 1))
        ]
        self.assertFalse(missing, "\n".join(["no wrong implementation for:", *missing]))

    def test_what_many_rules_need_is_told_once(self):
        refused = [{"code": code, "title": "Ant", "weight": "-5"} for code in "AB"]
        for declared, found in (
            ({"rows": ()}, "`rows` of Case has 0 rows."),
            ({"processor": "nobody", "is_registered": False}, "no processor is registered"),
            ({"rows": refused}, "rows of `rows` were refused"),
            ({"fill_site": lambda self, site: site["zoo"]}, "KeyError: 'zoo', raised in "),
        ):
            case = type("Case", (CreatureTests, unittest.TestCase), declared)
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
            told = [self.parts(text)[1] for _test, text in result.failures]
            skipped = [reason for _test, reason in result.skipped]
            with self.subTest(found):
                self.assertEqual(result.errors, [])
                self.assertEqual([found in text for text in told].count(True), 1, told)
                self.assertGreater([found in reason for reason in skipped].count(True), 2)

    def parts(self, message):
        """Return the three parts of a message."""
        text = message[message.index("\nRule:  ") + 8 :]
        rule, _, rest = text.partition("\nFound: ")
        found, _, to_do = rest.partition("\nTo do: ")
        return rule, found, to_do

    def test_each_rule_has_one(self):
        rules = {name for name in dir(KindContract) if name.startswith("test_")}
        self.assertEqual(rules - {case.rule for case in WRONG}, set())

    def test_each_rule_has_a_docstring(self):
        for name in dir(KindContract):
            if name.startswith("test_"):
                doc = getattr(KindContract, name).__doc__
                self.assertRegex(doc or "", r"\A[A-Z`][^\n]+[.]", name)
