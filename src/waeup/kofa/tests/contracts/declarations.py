"""A kind that declares rules, computed fields and filters, and ways to get each wrong."""

import os

import grok
import transaction
from zope import schema
from zope.interface import Interface

from waeup.kofa.conversion import OwnConverter
from waeup.kofa.importing.declaring import column, computed, filter_by
from waeup.kofa.importing.declaring import rule as row_rule
from waeup.kofa.importing.filerules import Broken, FileRule
from waeup.kofa.importing.parts import Part
from waeup.kofa.tests.contracts.creatures import (
    Creature,
    CreatureExporter,
    CreatureProcessor,
    CreatureTests,
    wrong,
)

# -- what is right -----------------------------------------------------------------------


class Sorted(FileRule):
    """The codes are sorted."""

    fields = ("code",)

    def begin(self, site, mode):
        self.last, self.first = "", ()

    def see(self, number, row):
        if row["code"] < self.last and not self.first:
            self.first = (number,)
        self.last = row["code"]

    def end(self):
        if self.first:
            yield Broken("code: The codes are not sorted.", self.first)


class DeclaringProcessor(CreatureProcessor):
    """Imports creatures by all kinds of declarations."""

    grok.baseclass()

    file_rules = (Sorted(),)

    @computed("remark")
    def usual_remark(self, row, site):
        return f"A {row['title']}"

    @row_rule("weight", "tags")
    def are_light(self, row, site):
        return "Who has a tag is light." if row["weight"] > 900 else None

    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        return (obj.weight or 0) > (wanted or 0)


class DeclaringTests(CreatureTests):
    """The contract of creatures with declarations."""

    processor = DeclaringProcessor
    rows = [
        {"code": "A", "title": "Ant", "weight": "5", "tags": "['x']"},
        {"code": "B", "title": "Bear", "weight": "500", "remark": "large"},
    ]
    changes = {"title": "Aunt", "weight": "6", "tags": "['x', 'y']"}
    wrong = {"weight": "1000"}
    wrong_rows = [{"title": "Elephant", "weight": "4000"}]
    wrong_files = [[{"code": "Z", "title": "Zebra"}, {"code": "A", "title": "Ant"}]]


#: What the test cases of wrong declarations have in common.
DECLARED = {
    name: value
    for name, value in vars(DeclaringTests).items()
    if name in ("rows", "changes", "wrong", "wrong_rows", "wrong_files")
}


def wrong_kind(rule, found, to_do, **more):
    """Note that the decorated processor, or exporter of such creatures, is wrong."""
    return wrong(rule, found, to_do, **{"processor": DeclaringProcessor, **DECLARED, **more})


def wrong_file_rule(rule, found, to_do, **more):
    """Note that the decorated rule over a whole file is wrong."""

    def note(cls):
        kind = type(cls.__name__, (DeclaringProcessor,), {"file_rules": (cls(),)})
        wrong_kind(rule, found, to_do, **more)(kind)
        return cls

    return note


def storage_file():
    """Return the path of a file in the storage of the current portal."""
    return os.path.join(grok.getSite()["datacenter"].storage, "seen")


#: What wrong implementations remember for all times.
_ASKED: list = []
_COMPUTED: list = []
_FILTERED: list = []

# -- parts, and columns of exports --------------------------------------------------------


class INest(Interface):
    """Where a creature sleeps."""

    height = schema.Int(title="Height", required=False)


class Nest(Part):
    """A row tells the nest, too."""

    iface = INest
    prefix = "nest_"
    container = "nests"

    def add(self, part, obj, site):
        if "nests" in site:
            super().add(part, obj, site)


NESTS = {"rows": [{**row, "nest_height": "3"} for row in DECLARED["rows"]]}


@wrong_kind("create", "nest_height is of no part, and '3' means 3", "that `updateEntry`", **NESTS)
class LosesPart(DeclaringProcessor):
    parts = (Nest(),)


@wrong_kind("export_changes_nothing", "it changed objects: Creature", "Set nothing on objects")
class ColumnWrites(DeclaringProcessor):
    @column()
    def size(self, obj):
        obj.size = (obj.weight or 0) * 2
        return obj.size


# -- rules over a row, and computed fields -----------------------------------------------

PURE = "row_rules_and_computed_fields_change_nothing"


@wrong_kind(PURE, "changed objects: Herd", "change nothing")
class RuleWrites(DeclaringProcessor):
    @row_rule("weight")
    def counts(self, row, site):
        site["herd"].asked = getattr(site["herd"], "asked", 0) + 1


@wrong_kind(PURE, "herd.asked: nothing became", "change nothing")
class RuleCommits(DeclaringProcessor):
    @computed("remark")
    def usual_remark(self, row, site):
        site["herd"].asked = getattr(site["herd"], "asked", 0) + 1
        transaction.commit()
        return "asked"


@wrong_kind(PURE, "left files", "joins the transaction")
class RuleWritesFiles(DeclaringProcessor):
    @row_rule("weight")
    def is_noted(self, row, site):
        with open(storage_file(), "a") as stream:
            stream.write("x")


@wrong_kind(PURE, "they have set RuleRemembers.known", "Keep nothing on the processor")
class RuleRemembers(DeclaringProcessor):
    known: list = []

    @row_rule("weight")
    def is_known(self, row, site):
        self.known.append(row["weight"])


@wrong_kind(PURE, "has made {'code': 'A'", "Leave the row as it is")
class RuleChangesRow(DeclaringProcessor):
    @row_rule("tags")
    def are_short(self, row, site):
        row["tags"].append("seen")


@wrong_kind(PURE, "usual_remark has made", "Leave the row as it is")
class ComputedChangesRow(DeclaringProcessor):
    @computed("remark")
    def usual_remark(self, row, site):
        return row.pop("title")


@wrong_kind(PURE, "and then", "depend on the row and on the portal only")
class ComputedByChance(DeclaringProcessor):
    @computed("remark")
    def usual_remark(self, row, site):
        _COMPUTED.append(row)
        return f"number {len(_COMPUTED)}"


@wrong_kind(PURE, "double said None, and then 'is there twice'", "depend on the row")
class RuleSeesOnce(DeclaringProcessor):
    @row_rule("weight")
    def double(self, row, site):
        if row in _ASKED:
            _ASKED.clear()
            return "is there twice"
        _ASKED.append(row)
        return None


ASKED = "row_rules_are_asked_and_refuse"


@wrong_kind(ASKED, "fits is about wieght, which no table has", "Correct the names")
class RuleOfNothing(DeclaringProcessor):
    @row_rule("title", "wieght")
    def fits(self, row, site):
        return "It does not."


@wrong_kind(ASKED, "no declared row has values for tags, key", "a cell for each of them")
class RuleNeverAsked(DeclaringProcessor):
    @row_rule("tags", "key")
    def fits(self, row, site):
        return "It does not."


@wrong_kind(ASKED, "fits returned False", "Return None where all is well")
class RuleSaysFalse(DeclaringProcessor):
    @row_rule("weight")
    def fits(self, row, site):
        return row["weight"] < 5


@wrong_kind(ASKED, "fits returned ' '", "else a text")
class RuleSaysNothing(DeclaringProcessor):
    @row_rule("weight")
    def fits(self, row, site):
        return " " if row["weight"] > 900 else None


@wrong_kind(ASKED, "are_light refuses none", "Declare in `wrong` a cell")
class RuleIsIdle(DeclaringProcessor):
    @row_rule("weight", "tags")
    def are_light(self, row, site):
        return "Who has a tag is light." if row["weight"] > 5000 else None


@wrong_kind(
    ASKED,
    "is_hashed refuses none",
    "or mend it",
    rows=[
        {"code": "A", "title": "Ant", "weight": "5", "tags": "['x']", "key": "open"},
        {"code": "B", "title": "Bear", "weight": "500"},
    ],
)
class RuleExpectsHash(DeclaringProcessor):
    @row_rule("key")
    def is_hashed(self, row, site):
        return "It is hashed." if "$" in row["key"] else None


WITHOUT = "row_rules_and_computed_fields_do_without_other_cells"


@wrong_kind(
    WITHOUT,
    "is_fit has met a row without remark, tags, title",
    "Name the field in `@rule`, or use",
)
class RuleNeedsTitle(DeclaringProcessor):
    @row_rule("weight")
    def is_fit(self, row, site):
        return f"{row['title']} is fat." if len(row["title"]) > row["weight"] else None


@wrong_kind(WITHOUT, "usual_remark has met a row without tags, weight", "or use row.get")
class ComputedNeedsWeight(DeclaringProcessor):
    @computed("remark")
    def usual_remark(self, row, site):
        return f"weighs {row['weight'] * 1000} g"


COMPUTED = "computed_fields_get_values"
#: Rows without a weight.
LIGHT = [{"code": "A", "title": "Ant"}, {"code": "B", "title": "Bear"}]


@wrong_kind(COMPUTED, "weight: ", "Return a value that the field takes", rows=LIGHT)
class ComputesText(DeclaringProcessor):
    @computed("weight")
    def usual_weight(self, row, site):
        return "heavy"


@wrong_kind(
    COMPUTED,
    "usual_remark is never asked",
    "on_update=True",
    add_objects=lambda self, portal: None,
)
class ComputesNever(DeclaringProcessor):
    modes = ("update",)


@wrong_kind(
    COMPUTED,
    "all declared rows have a cell for remark",
    "Leave remark out",
    rows=CreatureTests.rows,
)
class ComputesUnseen(DeclaringProcessor):
    pass


@wrong_kind(COMPUTED, "usual_remark gives no value", "or return it")
class ComputesNothing(DeclaringProcessor):
    @computed("remark")
    def usual_remark(self, row, site):
        row.get("title")


# -- rules over a whole file -------------------------------------------------------------

ABOUT = "file_rules_are_about_columns"


@wrong_kind(ABOUT, "`file_rules` is <", "Make it a tuple")
class OneFileRule(DeclaringProcessor):
    file_rules = Sorted()  # type: ignore[assignment]


@wrong_kind(ABOUT, "`file_rules` has <class", "Put instances into it")
class FileRuleOfClass(DeclaringProcessor):
    file_rules = (Sorted,)  # type: ignore[assignment]


@wrong_file_rule(ABOUT, "is the text 'code'", "fields = ('code',)")
class FieldIsText(Sorted):
    fields = "code"  # type: ignore[assignment]


@wrong_file_rule(ABOUT, "is about cdoe, which no table has", "Correct `fields`")
class FieldOfNothing(Sorted):
    fields = ("cdoe",)


@wrong(ABOUT, "has no rules over a whole file", "Declare `file_rules`", wrong_files=[[], []])
class NoFileRules(CreatureProcessor):
    pass


PASSIVE = "file_rules_change_nothing"


@wrong_file_rule(PASSIVE, "has made {'code': 'A', 'title': 'Ant', 'weight': None", "Leave rows")
class ChangesRows(Sorted):
    def see(self, number, row):
        super().see(number, row)
        row["weight"] = None


@wrong_file_rule(PASSIVE, "changed objects: Herd", "change nothing")
class FileRuleWrites(Sorted):
    def begin(self, site, mode):
        super().begin(site, mode)
        site["herd"].files = getattr(site["herd"], "files", 0) + 1


@wrong_file_rule(PASSIVE, "herd.files: nothing became", "change nothing")
class FileRuleCommits(FileRuleWrites):
    def end(self):
        transaction.commit()
        return super().end()


@wrong_file_rule(PASSIVE, "left files", "joins the transaction")
class FileRuleWritesFiles(Sorted):
    def close(self):
        with open(storage_file(), "a") as stream:
            stream.write("x")


@wrong_file_rule(PASSIVE, "has set FileRuleKeeps.seen, which all files share", "in `begin`")
class FileRuleKeeps(Sorted):
    seen: list = []

    def see(self, number, row):
        super().see(number, row)
        self.seen.append(number)


@wrong_file_rule(PASSIVE, "has set self.known, which all files share", "in `begin`")
class FileRuleKeepsDeep(Sorted):
    def __init__(self):
        self.known = {"rows": []}

    def see(self, number, row):
        super().see(number, row)
        self.known["rows"].append(number)


ANEW = "file_rules_begin_anew_with_each_file"


@wrong_file_rule(ANEW, "once more", "Set all that it remembers in `begin`")
class FileRuleGoesOn(Sorted):
    codes: set = set()

    def see(self, number, row):
        super().see(number, row)
        if row["code"] in self.codes:
            self.first = (number,)
        self.codes.add(row["code"])


@wrong_file_rule(ANEW, "while another one was seen", "not of its class")
class FileRuleSharesClass(Sorted):
    def begin(self, site, mode):
        super().begin(site, mode)
        type(self).rows = 0

    def see(self, number, row):
        super().see(number, row)
        type(self).rows += 1

    def end(self):
        yield from super().end()
        yield Broken(f"There are {self.rows} rows.")


EVERY = "file_rules_do_with_every_file"


@wrong_file_rule(EVERY, "has met a file without rows with AttributeError", "Set in `begin`")
class NeedsRows(Sorted):
    def begin(self, site, mode):
        self.first = ()

    def see(self, number, row):
        self.last = row["code"]

    def end(self):
        return [Broken(f"The last one is {self.last}.")]


@wrong_file_rule(EVERY, "whose rows cannot be read with ZeroDivisionError", "Set in `begin`")
class NeedsGoodRows(Sorted):
    def begin(self, site, mode):
        super().begin(site, mode)
        self.all = self.good = 0

    def see(self, number, row):
        self.all += 1
        self.good += 1

    def miss(self, number):
        self.all += 1

    def end(self):
        if self.all and self.all / self.good > 2:
            yield Broken("Half of it is bad.")


@wrong_file_rule(
    EVERY, "say no more than they need with KeyError: 'weight'", "an empty cell gives"
)
class NeedsWeights(Sorted):
    def see(self, number, row):
        super().see(number, row)
        if row["weight"] > 9000:
            self.first = (number,)


@wrong_file_rule(EVERY, "a file that was given up with AttributeError", "`close` is called")
class ClosesAtTheEnd(Sorted):
    def end(self):
        self.path = "none"
        return super().end()

    def close(self):
        self.path.strip()


WORDS = "file_rules_refuse_in_words"


@wrong_kind(
    WORDS, "the table of `rows` is refused: code: ", "keep the rules", rows=DECLARED["rows"][::-1]
)
class RefusesAll(DeclaringProcessor):
    pass


@wrong_file_rule(WORDS, "FileRuleIsIdle refuses no file", "Declare in `wrong_files`")
class FileRuleIsIdle(Sorted):
    def end(self):
        return ()


@wrong_file_rule(WORDS, "FileRuleOfMissed refuses no file", "Declare in `wrong_files`")
class FileRuleOfMissed(Sorted):
    def see(self, number, row):
        pass

    def miss(self, number):
        self.first = (number,)


@wrong_file_rule(WORDS, "`end` of ReturnsTrue returned True", "Return a list")
class ReturnsTrue(Sorted):
    def end(self):
        return True


@wrong_file_rule(WORDS, "`end` of GivesTexts gave 'not sorted'", "Give `Broken(message, rows)`")
class GivesTexts(Sorted):
    def end(self):
        return ["not sorted"] if self.first else []


@wrong_file_rule(WORDS, "with the message ''", "Say in words")
class Speechless(Sorted):
    def end(self):
        return [Broken("", self.first)] if self.first else []


@wrong_file_rule(WORDS, "names the rows [0]", "the numbers that `see`")
class CountsFromZero(Sorted):
    def end(self):
        return [Broken("Not sorted.", (self.first[0] - 2,))] if self.first else []


@wrong_kind(
    WORDS,
    "table 2 of `wrong_files` keeps all rules",
    "Mend the rule",
    wrong_files=[*DECLARED["wrong_files"], DECLARED["rows"]],
)
class GoodFile(DeclaringProcessor):
    pass


GROWS = "file_rules_do_not_grow"


@wrong_file_rule(GROWS, "of 1050", "belongs on disk")
class KeepsCodes(Sorted):
    def begin(self, site, mode):
        super().begin(site, mode)
        self.codes = set()

    def see(self, number, row):
        super().see(number, row)
        self.codes.add(row["code"])


@wrong_file_rule(GROWS, "of 1050", "belongs on disk")
class KeepsNumbers(Sorted):
    def see(self, number, row):
        if row["code"] < self.last:
            self.first += (number,)
        self.last = row["code"]


@wrong_file_rule(GROWS, "of 1050", "the first rows that are wrong")
class KeepsMissed(Sorted):
    def begin(self, site, mode):
        super().begin(site, mode)
        self.text = ""

    def miss(self, number):
        self.text += f"{number} "


# -- filters -----------------------------------------------------------------------------

READ = "filters_read_what_people_write"


@wrong_kind(READ, "the filter heavier with 'XXX' stops the export", "XXX gives None")
class FilterWithoutNone(DeclaringProcessor):
    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        return (obj.weight or 0) > wanted


@wrong_kind(READ, "the filter weighs with 'Example' stops the export", "Do with each value")
class FilterOfNumbers(DeclaringProcessor):
    @filter_by(schema.TextLine(title="Weighs"))
    def weighs(self, obj, wanted):
        return obj.weight == int(wanted or 0)


class Lenient(OwnConverter):
    """Takes all."""

    def convert(self, text):
        return int(text) if text.isdigit() else 1


class Kilos(OwnConverter):
    """Writes what it does not read."""

    def convert(self, text):
        return int(text)

    def render(self, value):
        return f"{value} kg"


@wrong_kind(READ, "the filter weight refuses '5 kg', by which a value", "take what it writes")
class OtherForm(DeclaringProcessor):
    converters = {"weight": Kilos}


@wrong_kind(READ, "the filter weight takes 'No sense 4711?'", "refuse it")
class LenientColumn(DeclaringProcessor):
    converters = {"weight": Lenient}


@wrong_kind(
    "filters_do_with_objects_without_values",
    "heavier=0 has met an object without values with Refused: ",
    "Expect None",
)
class FilterNeedsWeight(DeclaringProcessor):
    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        return obj.weight > (wanted or 0)


OWN = "own_filters_tell_objects_apart"


@wrong_kind(OWN, "`filters` names title", "are given the values", filters={"title": "Ant"})
class FilterOfColumn(DeclaringProcessor):
    pass


@wrong(OWN, "the exporter has of its own: none", "Name no others", filters={"heavier": "1"})
class FilterOfNobody(CreatureProcessor):
    pass


@wrong(OWN, "the exporter has of its own: none", "Name no others", filters={"heavier": "1"})
class ExporterWithoutFilters(CreatureExporter):
    filters = None


@wrong_kind(OWN, "heavier tells no objects apart: of 2", "Declare in `filters` a text")
class PassesAll(DeclaringProcessor):
    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        return True


@wrong_kind(OWN, "apart: of 2 600 keeps 0", "or mend the filter", filters={"heavier": "600"})
class NotApart(DeclaringProcessor):
    pass


@wrong_kind(OWN, "and then", "depend on the object")
class FilterByChance(DeclaringProcessor):
    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        _FILTERED.append(obj.code)
        return len(_FILTERED) % 4 == 1


@wrong_kind(OWN, "an export without it has not", "leave some out")
class SelectsOthers(CreatureExporter):
    def get_filtered(self, site, **kw):
        if "heavier" in kw:
            site = {"herd": {"X": site["datacenter"]}}
        return site["herd"].values()


@wrong_kind(OWN, "selects 4 of 2 objects", "Give each object once")
class SelectsDouble(CreatureExporter):
    def get_filtered(self, site, **kw):
        found = list(site["herd"].values())
        return [*found, *found] if kw else found


@wrong_kind(OWN, "changed objects: Creature", "set nothing")
class FilterWrites(DeclaringProcessor):
    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        obj.asked = wanted
        return (obj.weight or 0) > (wanted or 0)


@wrong_kind(OWN, "asked: nothing became", "set nothing")
class FilterCommits(FilterWrites):
    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        obj.asked = wanted
        transaction.commit()
        return (obj.weight or 0) > (wanted or 0)


@wrong_kind(OWN, "left files", "joins the transaction")
class FilterWritesFiles(DeclaringProcessor):
    @filter_by(schema.Int(title="Heavier than"))
    def heavier(self, obj, wanted):
        with open(storage_file(), "a") as stream:
            stream.write("x")
        return (obj.weight or 0) > (wanted or 0)


@wrong_kind(OWN, "has set FilterKeeps.newest", "Keep nothing on the exporter")
class FilterKeeps(CreatureExporter):
    newest: list = []

    def get_filtered(self, site, **kw):
        self.newest.append(dict(kw))
        return super().get_filtered(site, **kw)


def bare_objects(self, portal):
    """Put objects without values into a portal."""
    for code in "AB":
        portal.site["herd"][code] = Creature()
    transaction.commit()


@wrong("filters_select", "no object has a value that a filter takes", "Declare `rows`")
class NothingToFilter:
    add_objects = bare_objects
