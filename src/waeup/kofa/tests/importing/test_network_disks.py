"""A distribution on a network file system: lost answers, no links, and crashes there."""

import unittest

from waeup.kofa.tests.importing.test_distribution_crashes import CrashTests as Crashes
from waeup.kofa.tests.importing.test_distribution_crashes import scenes
from waeup.kofa.tests.spool.faultydisk import NetworkDisk, tree_of


class NetworkTests(unittest.TestCase):
    """All comes to its place as on a disk of one's own."""

    def setUp(self) -> None:
        self.scenes = scenes()
        for scene in self.scenes.values():
            self.addCleanup(scene.close)

    def distribute(self, scene, disk) -> None:
        scene.set_up()
        with disk:
            scene.distribute()
        self.assertEqual(tree_of(scene.storage), scene.after)

    def test_the_answer_to_one_operation_is_lost(self) -> None:
        for title, scene in self.scenes.items():
            number, count = 0, 1
            while number < count:
                with self.subTest(title, operation=number):
                    disk = NetworkDisk([number])
                    self.distribute(scene, disk)
                    count = disk.count
                number += 1
            self.assertGreater(count, 5)

    def test_other_ways_of_networks(self) -> None:
        for title, scene in self.scenes.items():
            for disk in (
                NetworkDisk(None),
                NetworkDisk(None, stale=True),
                NetworkDisk(links=False, syncs=False),
                NetworkDisk(None, links=False, syncs=False, stale=True),
            ):
                with self.subTest(title, disk=vars(disk)):
                    self.distribute(scene, disk)


class OnNetworks(Crashes):
    """The same crashes, where there are no links and each answer is lost."""

    def setUp(self) -> None:
        super().setUp()
        disk = NetworkDisk(None, links=False, syncs=False)
        disk.__enter__()
        self.addCleanup(disk.__exit__)

    # The account of what was forced out is that of a disk of one's own.
    test_power_cut = test_power_cut_in_the_next_round = test_power_cut_in_a_recovery = None  # type: ignore[assignment]
    test_power_cut_after_a_file_was_deleted = None  # type: ignore[assignment]


# Only those above are to be found here.
del Crashes
