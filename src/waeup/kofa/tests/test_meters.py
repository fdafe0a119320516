"""The meters: what is counted, under which names."""

import unittest

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from waeup.kofa import meters


def value(name, **labels):
    """Return a figure as it is now; 0 where there is none."""
    return meters.REGISTRY.get_sample_value(name, labels) or 0.0


class Meters(unittest.TestCase):
    """Each call changes its own figure, by what has been said."""

    def grown(self, name, action, **labels):
        before = value(name, **labels)
        action()
        return value(name, **labels) - before

    def test_rows_are_counted_by_outcome(self):
        labels = {"kind": "import", "processor": "tested", "outcome": "created"}
        self.assertEqual(
            self.grown(
                "kofa_rows_total",
                lambda: meters.rows("import", "tested", {"created": 7, "failed": 1}),
                **labels,
            ),
            7,
        )

    def test_rows_that_were_counted_are_not_counted_again(self):
        labels = {"kind": "import", "processor": "tested", "outcome": "created"}
        now, before = {"created": 12, "failed": 3}, {"created": 7, "failed": 3}
        self.assertEqual(
            self.grown(
                "kofa_rows_total", lambda: meters.rows("import", "tested", now, before), **labels
            ),
            5,
        )
        nothing = dict(labels, processor="nobody")
        meters.rows("import", "nobody", before, before)
        self.assertIsNone(meters.REGISTRY.get_sample_value("kofa_rows_total", nothing))

    def test_a_run_is_counted_with_its_time(self):
        labels = {"kind": "undo", "state": "stopped"}
        end = lambda: meters.run_ended("undo", "stopped", 2.5)  # noqa: E731
        self.assertEqual(self.grown("kofa_run_seconds_count", end, **labels), 1)
        self.assertEqual(self.grown("kofa_run_seconds_sum", end, **labels), 2.5)

    def test_a_clock_that_was_put_back_takes_nothing_away(self):
        labels = {"kind": "undo", "state": "stopped"}
        end = lambda: meters.run_ended("undo", "stopped", -30.0)  # noqa: E731
        self.assertEqual(self.grown("kofa_run_seconds_sum", end, **labels), 0)

    def test_methods_and_states_from_outside_make_no_new_figures(self):
        labels = {"method": "other", "status": "4xx"}
        ask = lambda: meters.request("BREW", 405, 0.01)  # noqa: E731
        self.assertEqual(self.grown("kofa_request_seconds_count", ask, **labels), 1)
        labels = {"method": "GET", "status": "2xx"}
        ask = lambda: meters.request("GET", 200, 0.01)  # noqa: E731
        self.assertEqual(self.grown("kofa_request_seconds_count", ask, **labels), 1)

    def test_conflicts_and_lost_leases(self):
        for where in (meters.IN_RUN, meters.IN_REQUEST):
            meet = lambda where=where: meters.conflict(where)  # noqa: E731
            self.assertEqual(self.grown("kofa_conflicts_total", meet, where=where), 1)
        self.assertEqual(self.grown("kofa_lease_losses_total", meters.lease_lost), 1)

    def test_what_never_happened_is_told_as_none(self):
        names = [sample.name for family in meters.REGISTRY.collect() for sample in family.samples]
        self.assertEqual(names.count("kofa_conflicts_total"), 2)
        self.assertIn("kofa_lease_losses_total", names)

    def test_prometheus_reads_it(self):
        text = generate_latest(meters.REGISTRY).decode()
        families = {family.name: family for family in text_string_to_metric_families(text)}
        self.assertEqual(families["kofa_run_seconds"].type, "histogram")
        self.assertEqual(families["kofa_rows"].type, "counter")
        self.assertIn("process_resident_memory_bytes", families)
        self.assertEqual([name for name in families if name.endswith("_created")], [])
