"""Rows about several objects: made together, undone together, each with its history, exported."""

import io

import grok
from zope.component import getGlobalSiteManager

from waeup.kofa.conversion import Mapping, OwnConverter
from waeup.kofa.exporting import Export, Wish
from waeup.kofa.exporting.kind import ContainerExporter
from waeup.kofa.importing.declaring import computed
from waeup.kofa.importing.history import marks_of
from waeup.kofa.importing.kind import ContainerProcessor
from waeup.kofa.importing.record import Record
from waeup.kofa.interfaces import IBatchProcessor
from waeup.kofa.jobs.history import Past
from waeup.kofa.tests.importing.test_engine import EngineTestCase
from waeup.kofa.tests.jobs.bears import (
    BearProcessor,
    Cave,
    IBear,
    ICave,
    INest,
    KeeperProcessor,
    Leaves,
    MotherProcessor,
    Nester,
    NesterProcessor,
    bears,
)
from waeup.kofa.tests.jobs.lives import few_rows
from waeup.kofa.tests.jobs.test_runs import RunTestCase

COLUMNS = ("code", "weight", "cave_depth", "cave_door", "nest_warm")
HEADER = ",".join(COLUMNS)


class OutsideTests(EngineTestCase):
    """Without a database a row is taken back as a whole, too."""

    processor = BearProcessor()

    def setUp(self):
        super().setUp()
        self.site["bears"] = grok.Container()

    def test_a_row_makes_all_or_nothing(self):
        counts, _, pending = self.do(
            HEADER, "a,5,3,,yes", "b,6,,,", "c,7,,red,", "d,8,12,XXX,", "e,x,1,,"
        )
        self.assertEqual(counts, (5, 3))
        self.assertEqual((list(self.site["bears"]), list(self.site["caves"])), (["a", "b"], ["a"]))
        self.assertEqual(
            [line.rpartition("<IGNORE>,")[2].rpartition(",")[2] for line in pending[1:]],
            [
                "cave_depth: Required value is missing.",
                "A deep cave needs a door.",
                "weight: Invalid integer data: 'x' is not a whole number.",
            ],
        )
        self.assertTrue(ICave.providedBy(self.site["caves"]["a"]))
        self.assertTrue(self.site["bears"]["a"]["nest"].warm)

    def test_an_update_changes_what_it_names(self):
        self.do(HEADER, "a,5,3,,yes", "b,6,,,")
        counts, *_ = self.do("code,cave_depth", "a,4", "b,2", mode="update")
        self.assertEqual(counts, (2, 0))
        caves = self.site["caves"]
        self.assertEqual(
            [(key, caves[key].depth, caves[key].door) for key in caves],
            [("a", 4, "open"), ("b", 2, "open")],
        )

    def test_a_removal_takes_the_parts_with_it(self):
        self.do(HEADER, "a,5,3,,yes")
        self.do("code", "a", mode="remove")
        self.assertEqual((len(self.site["bears"]), len(self.site["caves"])), (0, 0))

    def test_the_container_of_a_part_is_made_where_the_part_says_of_what(self):
        class Den(Cave):
            container = "park/dens"
            container_factory = grok.Container

        class DenProcessor(BearProcessor):
            grok.baseclass()
            parts = (Den(),)

        self.processor = DenProcessor()
        self.assertEqual(self.do("code,cave_depth", "a,", mode="update")[0], (1, 1))
        self.assertEqual(list(self.site["park"]["dens"]), [])
        del self.site["park"]
        self.do("code", "a")
        del self.site["park"]
        self.assertEqual(self.do("code,cave_depth", "a,3", mode="update")[0], (1, 0))
        self.assertEqual(self.site["park"]["dens"]["a"].depth, 3)

    def test_what_is_computed_for_a_part_needs_no_column(self):
        class Computing(BearProcessor):
            grok.baseclass()

            @computed("cave_depth")
            def depth(self, row, site):
                return row["weight"]

        counts, *_ = self.do("code,weight", "a,5", processor=Computing())
        self.assertEqual((counts, self.site["caves"]["a"].depth), ((1, 0), 5))

    def test_columns_of_parts_are_columns_of_the_kind(self):
        self.assertEqual(
            self.processor.available_fields,
            ["cave_code", "cave_depth", "cave_door", "code", "nest_warm", "weight"],
        )
        self.assertEqual(self.processor.req["create"], ["code"])
        with self.assertRaisesRegex(TypeError, "Give the part a prefix"):
            type(
                "Own",
                (ContainerProcessor,),
                {"iface": IBear, "parts": (type("P", (Cave,), {"prefix": ""})(),)},
            )


class PartTests(RunTestCase):
    """Runs, undos, histories and exports of such kinds."""

    def setUp(self):
        super().setUp()
        registered = bears(BearProcessor())
        registered.__enter__()
        self.addCleanup(registered.__exit__, None, None, None)

        def make(site):
            site["bears"], site["caves"] = grok.Container(), grok.Container()

        self.portal.change(make)
        self.put("bears.csv", HEADER, "a,5,3,,yes", "b,6,,,", "c,7,1,red,no")

    def imported(self, name="bears.csv", mode="create", columns=COLUMNS, **kw):
        """Import a file and return the run."""
        id = self.ask(
            lambda o: o.start_import(name, "bears", mode, Mapping(tuple(columns)), **kw)
        ).id
        with few_rows(2):
            self.portal.work_off(id)
        run = self.info(id)
        self.assertEqual(run.state, "finished", run.fault)
        return run

    def objects(self):
        """Return all there is."""

        def tell(site):
            bears = {
                key: (bear.weight, bear["nest"].warm if "nest" in bear else None)
                for key, bear in site["bears"].items()
            }
            return bears, {key: (cave.depth, cave.door) for key, cave in site["caves"].items()}

        return self.portal.change(tell)

    def test_all_of_an_import_is_taken_back(self):
        run = self.imported()
        made = (
            {"a": (5, True), "b": (6, None), "c": (7, False)},
            {"a": (3, "open"), "c": (1, "red")},
        )
        self.assertEqual((run.report.created, self.objects()), (3, made))
        self.put("more.csv", "code,cave_depth,nest_warm", "a,4,no", "b,2,", "c,1,no")
        changed = self.imported("more.csv", "upsert", ["code", "cave_depth", "nest_warm"])
        self.assertEqual((changed.report.updated, changed.report.unchanged), (2, 1))
        self.assertEqual(self.objects()[1], {"a": (4, "open"), "b": (2, "open"), "c": (1, "red")})
        undo = self.undone(changed.id)
        self.assertEqual((undo.report.done, self.objects()), (2, made))
        self.put("gone.csv", "code", "a", "c")
        gone = self.imported("gone.csv", "remove", ["code"])
        self.assertEqual(self.objects(), ({"b": (6, None)}, {}))
        self.assertEqual(self.undone(gone.id).report.created, 2)
        self.assertEqual(self.objects(), made)
        self.assertEqual(self.undone(run.id).report.removed, 3)
        self.assertEqual(self.objects(), ({}, {}))

    def test_a_row_with_a_part_that_was_changed_since_is_left_alone_as_a_whole(self):
        run = self.imported()

        def change(site):
            site["bears"]["a"]["nest"].warm = None
            site["caves"]["c"].depth = 7

        self.portal.change(change)
        before = self.objects()
        undo = self.undone(run.id)
        self.assertEqual((undo.report.removed, undo.report.failed), (1, 2))
        bears, caves = before
        self.assertEqual(self.objects(), ({key: bears[key] for key in "ac"}, caves))

    def test_what_somebody_has_given_a_part_since_stays_with_it(self):
        run = self.imported()

        def change(site):
            site["caves"]["b"] = Record(ICave)

        self.portal.change(change)
        undo = self.undone(run.id)
        self.assertEqual((undo.report.removed, undo.report.failed), (2, 1))
        self.assertEqual(undo.report.reasons[0][0], "It was given a part since.")
        self.assertEqual(self.objects(), ({"b": (6, None)}, {"b": (None, "open")}))

    def test_a_part_that_was_there_before_is_no_hindrance(self):
        def change(site):
            site["caves"]["b"] = Record(ICave)
            site["caves"]["c"] = Record(ICave)

        self.portal.change(change)
        run = self.imported()
        undo = self.undone(run.id)
        self.assertEqual((undo.report.removed, undo.report.failed), (3, 0))
        self.assertEqual(self.objects(), ({}, {"b": (None, "open"), "c": (None, "open")}))

    def test_a_row_that_is_left_alone_keeps_what_others_know_of_its_objects(self):
        self.imported()
        self.put("more.csv", "code,cave_depth,nest_warm", "a,4,no", "a,5,yes")
        run = self.imported("more.csv", "update", ["code", "cave_depth", "nest_warm"])
        self.portal.change(lambda site: setattr(site["caves"]["a"], "depth", 7))
        undo = self.undone(run.id)
        self.assertEqual(undo.report.failed, 2)
        self.assertEqual(self.objects()[0]["a"], (5, True))

    def test_a_check_tells_changes_of_parts_and_a_run_keeps_to_them(self):
        self.imported()
        self.put("more.csv", "code,cave_depth", "a,4")
        mapping = Mapping(("code", "cave_depth"))
        id = self.ask(lambda o: o.start_check("more.csv", "bears", "update", mapping)).id
        self.portal.work_off(id)
        rows = self.ask(lambda o: o.check_rows(id))
        self.assertEqual(rows[0].changes, (("cave_depth", "3", "4"),))
        self.portal.change(lambda site: setattr(site["caves"]["a"], "depth", 2))
        run = self.imported("more.csv", "update", ["code", "cave_depth"], check=id)
        self.assertIn("changed since the check", run.report.reasons[0][0])

    def test_each_object_has_its_history(self):
        run = self.imported()
        self.put("more.csv", "code,cave_depth,nest_warm", "a,4,no")
        more = self.imported("more.csv", "update", ["code", "cave_depth", "nest_warm"])

        def tell(site):
            bear, cave = site["bears"]["a"], site["caves"]["a"]
            runs = site["datacenter"].runs
            found = []
            for obj in (bear, bear["nest"], cave):
                past = Past(obj, runs)
                last = past.events[-1]
                found.append(
                    (
                        [mark.run for mark in marks_of(obj)],
                        [(c.name, c.old, c.new) for c in past.changes(last)],
                    )
                )
            return found

        bear, nest, cave = self.portal.change(tell)
        self.assertEqual(bear[0], [run.id])
        self.assertEqual(nest, ([run.id, more.id], [("warm", True, False)]))
        self.assertEqual(cave, ([run.id, more.id], [("depth", 3, 4)]))

    def test_rows_tell_what_they_did_to_each_and_no_password(self):
        self.put("keys.csv", "code,cave_depth,cave_code", "x,5,very secret", "y,6,")
        run = self.imported("keys.csv", columns=["code", "cave_depth", "cave_code"])
        done = self.ask(lambda o: o.done_rows(run.id, limit=1))
        self.assertEqual(
            [(each.number, each.operation) for each in done.rows], [(1, "created")] * 2
        )
        self.assertEqual(done.behind, 2)
        told = [(change.field, change.new) for change in done.rows[1].changes]
        self.assertEqual(told, [("depth", "5"), ("code", "***")])
        rest = self.ask(lambda o: o.done_rows(run.id, start=2))
        self.assertEqual([each.number for each in rest.rows], [2, 2])
        finished = self.portal.tree()["finished/keys.create.finished.csv"]
        self.assertNotIn(b"very secret", finished)
        self.assertIn(b"x,5,$2b$", finished)

    def test_what_a_converter_of_the_kind_keeps_secret_is_told_of_no_part(self):
        class Pin(OwnConverter):
            secret = True

            def convert(self, text):
                return text if text.startswith("#") else f"#{text[::-1]}"

        class Secretive(BearProcessor):
            grok.baseclass()
            converters = {"cave_door": Pin}

        registry = getGlobalSiteManager()
        parts = (Secretive(), IBatchProcessor, "bears")
        registry.registerUtility(*parts)
        self.addCleanup(registry.unregisterUtility, *parts)
        self.put("doors.csv", "code,cave_depth,cave_door", "x,5,geheim")
        run = self.imported("doors.csv", columns=["code", "cave_depth", "cave_door"])
        self.assertEqual(self.objects()[1]["x"], (5, "#mieheg"))
        rows = self.ask(lambda o: o.done_rows(run.id, limit=1)).rows
        told = {change.field: change.new for change in rows[1].changes}
        self.assertEqual(told, {"depth": "5", "door": "***"})

    def test_a_part_that_no_database_knows_is_stored_with_its_object(self):
        parts = (NesterProcessor(), IBatchProcessor, "bears")
        registry = getGlobalSiteManager()
        registry.registerUtility(*parts)
        self.addCleanup(registry.unregisterUtility, *parts)
        self.put("nests.csv", "code", "n")
        self.imported("nests.csv", columns=["code"])
        self.put("warm.csv", "code,nest_warm", "n,yes")
        run = self.imported("warm.csv", "update", ["code", "nest_warm"])
        self.assertEqual(run.report.updated, 1)

        def warm(site):
            bear = site["bears"]["n"]
            bear._p_invalidate()
            return bear.nest.warm

        self.assertIs(self.portal.change(warm), True)

    def mothers(self):
        """Let bears be mothers, of which there are two; return what tells what they have."""
        registry = getGlobalSiteManager()
        parts = (MotherProcessor(), IBatchProcessor, "bears")
        registry.registerUtility(*parts)
        self.addCleanup(registry.unregisterUtility, *parts)
        self.put("mothers.csv", "code,nest_warm", "m,yes", "n,no")
        self.run = self.imported("mothers.csv", columns=["code", "nest_warm"])

        def tell(site):
            return [
                (bear.weight, bear.nest.warm, [cub.warm for cub in bear.cubs], bear.far[0].warm)
                for bear in site["bears"].values()
            ]

        return lambda: self.portal.change(tell)

    def test_parts_in_attributes_of_an_object_are_taken_back_with_it(self):
        tell = self.mothers()
        stages = [tell()]
        self.assertEqual(stages, [[(None, True, [], None), (None, False, [], None)]])
        columns = ["code", "weight", "nest_warm", "cub_warm"]
        runs = []
        for rows in (
            ("m,,no,yes", "n,7,,", "m,,,no", "n,,,no"),
            ("m,,yes,", "n,,,yes", "n,8,,yes", "m,,,no"),
        ):
            self.put("more.csv", ",".join(columns), *rows)
            runs.append(self.imported("more.csv", "update", columns))
            self.assertEqual((runs[-1].report.failed, runs[-1].report.reasons), (0, ()))
            stages.append(tell())
        self.assertEqual(stages[1], [(None, False, [False], None), (7, False, [False], None)])
        self.assertEqual(stages[2], [(None, True, [False], None), (8, False, [True], None)])
        for run, stage in zip(reversed(runs), reversed(stages[:-1]), strict=True):
            undo = self.undone(run.id)
            self.assertEqual((undo.report.failed, tell()), (0, stage))
        self.assertEqual(self.undone(self.run.id).report.removed, 2)

    def test_a_part_that_is_put_into_an_object_with_a_place_of_its_own_goes_with_an_undo(self):
        registry = getGlobalSiteManager()
        parts = (KeeperProcessor(), IBatchProcessor, "bears")
        registry.registerUtility(*parts)
        self.addCleanup(registry.unregisterUtility, *parts)

        def tell(site):
            return [(bear.weight, *bear.kept) for bear in site["bears"].values()]

        self.put("keepers.csv", "code", "m", "n")
        self.imported("keepers.csv", columns=["code"])
        self.put("more.csv", "code,weight,nest_warm", "m,,yes", "n,3,no")
        run = self.imported("more.csv", "update", ["code", "weight", "nest_warm"])
        self.assertEqual(self.portal.change(tell), [(None, "nest"), (3, "nest")])
        self.assertEqual(self.undone(run.id).report.updated, 2)
        self.assertEqual(self.portal.change(tell), [(None,), (None,)])

    def test_what_somebody_has_done_since_to_a_part_in_an_object_is_left_alone(self):
        tell = self.mothers()
        self.put("more.csv", "code,cub_warm", "m,yes", "n,yes")
        run = self.imported("more.csv", "update", ["code", "cub_warm"])

        def change(site):
            site["bears"]["m"].cubs[0].warm = False
            site["bears"]["m"]._p_changed = True

        self.portal.change(change)
        undo = self.undone(run.id)
        self.assertEqual((undo.report.updated, undo.report.failed), (1, 1))
        self.assertEqual([cubs for _w, _n, cubs, _f in tell()], [[False], []])

    def test_the_past_of_a_part_in_an_object_is_that_of_the_object(self):
        self.mothers()
        self.put("more.csv", "code,weight,nest_warm", "m,7,no")
        run = self.imported("more.csv", "update", ["code", "weight", "nest_warm"])

        def tell(site):
            past = Past(site["bears"]["m"], site["datacenter"].runs)
            last = past.events[-1]
            found = {each.name: (each.old, each.new) for each in past.changes(last)}
            return last.mark.run, found["weight"], [one.warm for one in found["nest"]]

        self.assertEqual(self.portal.change(tell), (run.id, (None, 7), [True, False]))

    def test_parts_that_no_record_would_keep_are_refused(self):
        tell = self.mothers()
        before = tell()
        self.put("more.csv", "code,far_warm,nest_warm", "m,yes,no", "n,,yes")
        run = self.imported("more.csv", "update", ["code", "far_warm", "nest_warm"])
        self.assertEqual((run.report.updated, run.report.failed), (1, 1))
        self.assertIn("of the part Far cannot be changed by rows", run.report.reasons[0][0])
        self.assertIn("class Leaves is not persistent", run.report.reasons[0][0])
        self.assertEqual(tell(), [before[0], (None, True, [], None)])

    def test_rows_make_and_remove_no_parts_in_proxies(self):
        class Wrapped(BearProcessor):
            grok.baseclass()
            parts = (type("Plain", (Cave,), {"iface": INest, "factory": lambda: Leaves()})(),)

        registry = getGlobalSiteManager()
        parts = (Wrapped(), IBatchProcessor, "bears")
        registry.registerUtility(*parts)
        self.addCleanup(registry.unregisterUtility, *parts)
        self.put("caves.csv", "code,cave_warm", "x,yes", "y,")
        run = self.imported("caves.csv", columns=["code", "cave_warm"])
        self.assertEqual((run.report.created, run.report.failed), (1, 1))
        self.assertIn("class Leaves is not persistent", run.report.reasons[0][0])
        self.portal.change(lambda site: site["caves"].__setitem__("y", Leaves()))
        self.put("caves.csv", "code", "y")
        gone = self.imported("caves.csv", "remove", ["code"])
        self.assertIn("class Leaves is not persistent", gone.report.reasons[0][0])
        self.assertEqual(self.portal.change(lambda site: list(site["bears"])), ["y"])

    def test_a_kind_whose_parts_cannot_be_kept_is_refused(self):
        with self.assertRaisesRegex(TypeError, "Own: Leaves, of which P .* in caves, is not"):
            type(
                "Own",
                (ContainerProcessor,),
                {"iface": IBear, "parts": (type("P", (Cave,), {"factory": Leaves})(),)},
            )

    def test_the_row_of_a_removed_object_has_its_parts(self):
        self.imported()
        self.put("gone.csv", "code", "a")
        self.imported("gone.csv", "remove", ["code"])
        kept = self.portal.tree()["deleted/bears.csv"].decode().replace('"', "").split()
        self.assertEqual(kept[1].split(",")[:4], ["a", "5", "3", "open"])

    def exported(self, **wish):
        """Return the text of an export."""

        def export(site):
            stream = io.BytesIO()
            Export(Wish("bears", **wish), site).write(stream)
            return stream.getvalue().decode()

        return self.portal.change(export)

    def brought_back(self, text):
        """Return all there is once everything is gone, and such a table was imported."""

        def empty(site):
            for name in ("bears", "caves"):
                for key in list(site[name]):
                    del site[name][key]

        self.portal.change(empty)
        lines = text.replace('"', "").split("\r\n")[:-1]
        self.put("back.csv", *lines)
        self.imported("back.csv", "create", lines[0].split(","))
        return self.objects()

    def test_a_part_without_any_value_comes_back(self):
        def change(site):
            site["bears"]["a"]["nest"].warm = None
            site["bears"]["b"]["nest"] = Record(INest)

        self.imported()
        self.portal.change(change)
        before = self.objects()
        self.assertEqual(before[0], {"a": (5, None), "b": (6, None), "c": (7, False)})
        text = self.exported()
        nests = [line.rpartition(",")[2] for line in text.replace('"', "").split()]
        self.assertEqual(nests, ["nest_warm", "XXX", "XXX", "0"])
        self.assertEqual(self.brought_back(text), before)
        self.portal.change(lambda site: self.assertIn("nest", site["bears"]["b"]))

    def test_only_what_is_not_there_and_what_is_not_guarded_leaves_all_cells_empty(self):
        self.imported()
        self.assertEqual(self.exported().count("XXX"), 0)
        self.portal.change(lambda site: setattr(site["bears"]["a"]["nest"], "warm", None))
        self.assertEqual(self.exported().count("XXX"), 1)
        self.assertEqual(self.exported(safe=False).count("XXX"), 0)

    def test_a_part_that_breaks_its_schema_fails_when_it_comes_back(self):
        def change(site):
            site["caves"]["b"] = Record(ICave)
            site["caves"]["b"].door = None

        self.imported()
        self.portal.change(change)
        text = self.exported()
        self.assertIn("b,6,,XXX,", text.replace('"', ""))
        self.assertEqual(list(self.brought_back(text)[0]), ["a", "c"])
        cave = ContainerExporter(BearProcessor).row_maker(["code", "cave_depth"])

        def cells(site):
            site["caves"]["a"].depth = None
            return cave(site["bears"]["a"])

        self.assertEqual(self.portal.change(cells), ["a", "XXX"])

    def test_a_part_that_each_object_has_needs_no_mark(self):
        exporter = ContainerExporter(NesterProcessor)
        registry = getGlobalSiteManager()
        parts = (NesterProcessor(), IBatchProcessor, "bears")
        registry.registerUtility(*parts)
        self.addCleanup(registry.unregisterUtility, *parts)
        self.assertEqual(exporter.row_maker(["code", "nest_warm"])(Nester()), ["", ""])

    def test_exports_join_them_again_and_come_back(self):
        self.imported()
        text = self.exported(secrets=True)
        self.assertEqual(
            text.replace('"', "").split(),
            [
                "code,weight,cave_depth,cave_door,cave_code,nest_warm",
                "a,5,3,open,,1",
                "b,6,,,,",
                "c,7,1,red,,0",
            ],
        )
        before = self.objects()
        self.assertEqual(self.brought_back(text), before)
