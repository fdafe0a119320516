"""What is said when the disk fails."""

import errno
import unittest
from unittest import mock

from waeup.kofa.errors import StorageFault
from waeup.kofa.i18n import MessageFactory as _
from waeup.kofa.locales.catalogs import domain
from waeup.kofa.spool.disk import faults
from waeup.kofa.tests.locales.test_pages import Pseudo


class Words(unittest.TestCase):
    """The text of a `StorageFault`."""

    def fail(self, doing: str, path: str | None) -> StorageFault:  # type: ignore[override]
        """Return the fault of a full disk."""
        with self.assertRaises(StorageFault) as caught, faults(doing):
            raise OSError(errno.ENOSPC, "No space left on device", path)
        return caught.exception

    def test_it_names_what_was_done_the_reason_and_the_file(self) -> None:
        advice = "Look at free space and rights of the disk."
        self.assertEqual(
            str(self.fail("Storing a.csv", "/there/a.csv")),
            f"Storing a.csv failed: No space left on device (/there/a.csv). {advice}",
        )
        self.assertEqual(
            str(self.fail("Storing a.csv", None)),
            f"Storing a.csv failed: No space left on device. {advice}",
        )

    def test_it_can_be_translated(self) -> None:
        doing = _("Storing ${name}", mapping={"name": "${name}.csv"})
        with mock.patch.dict(domain.catalogs, de=Pseudo(domain.catalogs["de"])):
            text = domain.say(self.fail(doing, None), "de")
        self.assertTrue(text.startswith("\u27e6\u27e6Storing ${name}.csv\u27e7 failed: "), text)


if __name__ == "__main__":
    unittest.main()
