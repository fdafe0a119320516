"""Makes the pictures of the manual anew: `make pictures`.

The portal that is shown has names and times that are always the same, and a picture that would
look like the one that is there is not written.  Letters are those of the machine.
"""

import base64
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import transaction
from PIL import Image, ImageChops
from selenium.webdriver.support.select import Select

from waeup.kofa import tokens
from waeup.kofa.browser.files import home
from waeup.kofa.jobs import record
from waeup.kofa.operations import webhooks
from waeup.kofa.tests.browser.exhibition import DATE, PROCESSOR, acting_as, furnish
from waeup.kofa.tests.browser.test_chromium import ChromiumTestCase
from waeup.kofa.tests.functional import FunctionalLayer

FOLDER = Path(__file__).parents[5] / "docs" / "pictures"
DESK, PHONE = (1200, 800), (390, 800)
COLOURS = 128
FILES = (
    "admissions_2026",
    "course_results_level_100",
    "course_results_level_200",
    "course_results_level_300",
    "hostel_allocation",
)
#: What programs are for, what they may do, and for how many days.
TOKENS = (
    ("registry nightly push", ("read", "import"), 366),
    ("library", ("export",), 366),
)
#: What programs are told, and where.
WEBHOOKS = (
    ("Registry", "https://registry.example.org/kofa", ("run.finished", "file.arrived")),
    ("Library", "https://library.example.org/told", ("export.ready",)),
)


class Pictures(ChromiumTestCase):
    """Walks through the portal with a camera."""

    def take(
        self, name: str, size: tuple[int, int] = DESK, scheme: str = "light", at: int = 0
    ) -> None:
        """Take a picture of the page that is shown, from the line of pixels `at` on."""
        features = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
        self.window.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": key, "value": text} for key, text in features.items()]},
        )
        self.window.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        width, height = size
        self.window.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE},
        )
        show = "window.scrollTo(0, arguments[0]); document.activeElement.blur()"
        self.window.execute_script(show, at)
        taken = self.window.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        write(FOLDER / f"{name}.png", base64.b64decode(taken["data"]))

    def walk(self) -> None:
        """Take all pictures."""
        FunctionalLayer.add_user("ann", "waeup.ImportManager", "waeup.ExportManager")
        there = furnish("ann", FILES)
        with acting_as("ann") as operations:
            operations.cancel(there.queued)
            let_programs_in(operations)
            transaction.commit()
        self.window.get(f"{self.address}/app/login")
        self.find("#login").send_keys("ann")
        self.find("#password").send_keys("pw of ann")
        self.press("SUBMIT")
        center = f"{self.address}/app/datacenter"
        self.window.get(center)
        # Where it is kept on this machine is nobody's business.
        hide = "document.querySelector('main > .note').remove()"
        self.window.execute_script(hide)
        # The lower edge goes through no line of text.
        self.take("home", (1200, 900))
        self.window.get(center)
        self.window.execute_script(hide)
        self.take("phone", PHONE, "dark")
        self.window.get(f"{center}/upload")
        self.take("upload")
        self.window.get(f"{center}?q={there.mixed}")
        self.press("select")
        Select(self.find("#importer")).select_by_value(PROCESSOR)
        self.press("proceed")
        self.take("map")
        self.window.get(f"{center}/run?id={there.failed}")
        self.take("result")
        with acting_as("ann") as operations:
            # What is shown as running has no worker; nobody else is to begin it.
            runs = operations.datacenter.runs
            runs.get(there.running).move("stopped")
            runs.deactivate(runs.get(there.running))
            transaction.commit()
        self.window.get(center)
        self.press("mend")
        address = self.window.current_url
        FunctionalLayer.work_off_runs()
        self.window.get(address)
        self.take("mend", at=480)
        self.window.get(f"{self.address}/app/access")
        self.take("access")
        self.window.get(f"{self.address}/app/webhooks")
        self.take("webhooks", (1200, 600))


def let_programs_in(operations: Any) -> None:
    """Let some programs have tokens, and be told, all at times that are always the same."""
    numbers = count()

    def known(size: int) -> str:
        return sha256(str(next(numbers)).encode()).hexdigest()[: 2 * size]

    with mock.patch.object(tokens, "secrets", SimpleNamespace(token_hex=known)):
        for title, scopes, days in TOKENS:
            tokens.make_token(operations.site, "ann", title, scopes, days, DATE)
    later = (DATE + timedelta(minutes=number) for number in count())
    with mock.patch.object(webhooks, "utc_now", lambda: next(later)):
        for title, address, events in WEBHOOKS:
            operations.new_webhook(address, title, events=events)


def write(path: Path, content: bytes) -> None:
    """Keep a picture with few colours, unless the one that is there looks the same."""
    new = Image.open(BytesIO(content)).convert("RGB")
    new = new.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    if path.exists():
        with Image.open(path) as old:
            same_size = old.size == new.size
            if (
                same_size
                and not ImageChops.difference(old.convert("RGB"), new.convert("RGB")).getbbox()
            ):
                print(f"{path.name} is as before")
                return
    path.parent.mkdir(exist_ok=True)
    new.save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size:,} bytes")


@contextmanager
def same_times() -> Iterator[None]:
    """Let all that is ordered be ordered at times that are always the same."""
    minutes = count()

    def now() -> datetime:
        return DATE + timedelta(minutes=next(minutes))

    with (
        mock.patch.dict(os.environ, TZ="UTC"),
        mock.patch.object(record, "utc_now", now),
        mock.patch.object(tokens, "_time", lambda said: DATE if said is None else said),
        mock.patch.object(home, "LATELY", timedelta(days=36_500)),
    ):
        time.tzset()
        yield


def main() -> int:
    """Take the pictures in a portal that is thrown away afterwards."""
    with ExitStack() as undo:
        undo.enter_context(same_times())
        layer: Any = FunctionalLayer
        layer.setUp()
        undo.callback(layer.tearDown)
        layer.testSetUp()
        undo.callback(layer.testTearDown)
        case = Pictures("walk")
        undo.callback(case.doCleanups)
        case.setUp()
        case.walk()
    return 0


if __name__ == "__main__":
    sys.exit(main())
