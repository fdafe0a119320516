"""``kofactl worker`` and ``run`` side by side, on databases that several processes share."""

import json
import signal
import subprocess
import time
import unittest
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from waeup.kofa.tests import servers
from waeup.kofa.tests.cli.far import ALL_SCOPES, Far
from waeup.kofa.tests.cli.shell import KOFACTL, CommandLayer, environment, kofactl, process
from waeup.kofa.tests.servers.kept import free_port
from waeup.kofa.tests.waiting import beside, bounded

#: Seconds after which what is waited for is not believed to come any more.
PATIENCE = 60


def zeo_section() -> str:
    (host, port), name = servers.zeo().place()
    return f"<zeo>\nserver {host}:{port}\nstorage {name}\n</zeo>\n"


def postgresql_section() -> str:
    return f"<postgresql>\ndsn {servers.postgresql().database()}\n</postgresql>\n"


class Alone(unittest.TestCase):
    layer = CommandLayer

    def test_a_file_is_for_one_process(self) -> None:
        answer = kofactl("worker")
        self.assertEqual((answer.code, answer.out), (2, ""))
        self.assertRegex(answer.err, "Data.fs is for one process.*<zeo> or <postgresql>")
        self.assertFalse(Path("var").exists())


class SharedPortal(unittest.TestCase):
    """A portal on a database that classes below say the `section` of."""

    layer = CommandLayer

    section: Callable[[], str]

    def setUp(self) -> None:
        Path("kofa.conf").write_text(
            f"{self.section()}<files>\npath files\n</files>\n<server>\nport 0\n</server>\n"
        )
        Path("kofa.conf").chmod(0o600)

    @contextmanager
    def started(self, *words: str, until: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a command beside the test; begins when it has said `until`."""
        command = [*KOFACTL, *words, "--config", "kofa.conf"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
        ) as started:
            try:
                assert started.stdout is not None
                said = []
                with bounded(started):
                    for line in started.stdout:
                        said.append(line)
                        if until in line:
                            break
                    else:
                        raise AssertionError("".join(said))
                yield started
            finally:
                if started.poll() is None:
                    started.kill()

    def ended(self, *processes: "subprocess.Popen[str]") -> Sequence[str]:
        """End processes by SIGTERM; return the last lines of each, which must end in order."""
        for each in processes:
            each.send_signal(signal.SIGTERM)
        said = [each.communicate(timeout=PATIENCE)[0] for each in processes]
        self.assertEqual([each.returncode for each in processes], [0] * len(processes), said)
        return said

    def json(self, *words: str) -> Any:
        answer = kofactl(*words, "--json", "--config", "kofa.conf")
        self.assertEqual(answer.err, "")
        return json.loads(answer.out)

    def test_a_worker_waits_for_the_portal_and_works_on_what_others_order(self) -> None:
        worker = ("worker", "--threads", "1")
        with (
            self.started(*worker, until="There is no portal yet") as waiting,
            self.started("run", until="The portal answers on") as web,
            self.started(*worker, until="The worker looks for runs") as other,
        ):
            # The first one says that it works now.
            assert waiting.stdout is not None
            with bounded(waiting):
                self.assertIn("looks for runs", waiting.stdout.readline())
            system = kofactl("system", "--json", "--config", "kofa.conf")
            found = sorted(each["what"] for each in json.loads(system.out)["processes"])
            self.assertEqual(found, ["web", "worker", "worker"])
            Path("faculties.csv").write_text(
                "code,title,title_prefix\nART,Arts,faculty\nBIO,Biology,faculty\n"
            )
            words = ("facultyprocessor", "--mode", "create", "--config", "kofa.conf")
            done = process("import", "faculties.csv", "--processor", *words)
            self.assertEqual((done.code, done.err), (0, ""))
            (run,) = self.json("runs")
            self.assertEqual((run["state"], run["rows"]), ("finished", 2))
            said = self.ended(web, waiting, other)
            self.assertIn("The portal was stopped.", said[0])
            self.assertIn("The worker was stopped.", said[1])
        self.assertEqual(self.json("system")["processes"], [])

    def test_a_killed_worker_is_followed_by_another_one(self) -> None:
        self.assertEqual(kofactl("run", "--setup-only", "--config", "kofa.conf").code, 0)
        lines = [f"S{number},A,B,f" for number in range(6000)]
        header = "student_id,firstname,lastname,sex"
        Path("students.csv").write_text("\n".join([header, *lines, ""]))
        order = [*KOFACTL, "import", "students.csv", "--processor", "studentprocessor"]
        order += ["--mode", "create", "--config", "kofa.conf"]
        with beside(
            order, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
        ) as ordering:
            self.until(lambda: any(run["rows"] > 0 for run in self.json("runs")))
            ordering.kill()
        with self.started("worker", until="The worker looks for runs") as worker:
            self.until(lambda: self.json("runs")[0]["state"] == "finished")
            self.ended(worker)
        (run,) = self.json("runs")
        self.assertEqual((run["rows"], run["failed"]), (6000, 0))
        self.assertEqual(self.json("recover"), [])

    def test_all_processes_follow_a_storage_that_a_worker_moves(self) -> None:
        """Listings, uploads and log lines of the web process, and the next import of a worker."""
        port, root = free_port(), Path("root").resolve()
        root.mkdir()
        former, target = Path("files").resolve(), root / "center"
        config = Path("kofa.conf")
        text = config.read_text().replace("port 0", f"port {port}")
        config.write_text(text.replace("path files\n", f"path files\nroot {root}\n"))
        self.assertEqual(kofactl("run", "--setup-only", "--config", "kofa.conf").code, 0)
        scopes = [word for scope in ALL_SCOPES for word in ("--scope", scope)]
        made = self.json("tokens", "add", "Test", *scopes, "--user", "admin")
        # What is asked for goes to the web process; what is to be worked on, to the worker.
        far = Far(f"http://127.0.0.1:{port}", made["token"], Path.cwd())
        with (
            self.started("run", until="The portal answers on") as web,
            self.started("worker", until="The worker looks for runs") as worker,
        ):
            for number in range(2):
                Path(f"f{number}.csv").write_text(f"code,title\nA{number},Arts\n")
            self.assertEqual(far("put", "f0.csv").code, 0)
            moved = far("storage", str(target), "--move", "--json")
            self.assertEqual((moved.code, moved.err), (0, ""))
            began, size = time.monotonic(), (former / "logs" / "datacenter.log").stat().st_size
            self.assertEqual(far("put", "f1.csv").code, 0)
            names = [each["name"] for each in json.loads(far("ls", "--json").out)]
            self.assertEqual(sorted(names), ["f0_admin.csv", "f1_admin.csv"])
            for name in names:
                done = far("import", name, "-p", "facultyprocessor", "-m", "create")
                self.assertEqual((done.code, done.err), (0, ""))
            self.assertLess(time.monotonic() - began, PATIENCE)
            self.ended(web, worker)
        ends = ("", ".create.finished")
        self.assertEqual(
            sorted(path.name for path in (target / "finished").iterdir()),
            sorted(f"f{number}_admin{end}.csv" for number in range(2) for end in ends),
        )
        log = (target / "logs" / "datacenter.log").read_text()
        # By the web process, and by the worker.
        for words in ("uploaded: f1_admin.csv", f"processed: {target}/f0_admin.csv"):
            self.assertIn(words, log)
        # Nothing came to the former one any more.
        self.assertEqual((former / "logs" / "datacenter.log").stat().st_size, size)
        self.assertNotIn("f1_admin.csv", {path.name for path in former.rglob("*")})
        self.assertEqual(self.json("recover"), [])

    def until(self, question: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not question():
            self.assertLess(time.monotonic(), deadline, "it does not happen")
            time.sleep(0.05)


class OnZeo(SharedPortal):
    section = staticmethod(zeo_section)


class OnPostgresql(SharedPortal):
    section = staticmethod(postgresql_section)


# What it tests is tested by the classes below it.
del SharedPortal
