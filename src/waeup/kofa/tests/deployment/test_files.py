"""The files in ``deploy``, and what the manual says of them: they agree with each other.

Where systemd is installed its own verifier reads the units.  With ``KOFA_REQUIRE_SYSTEMD=1``, as
in continuous integration, it must be.
"""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import yaml

from waeup.kofa import meters, presence
from waeup.kofa.cli.program import kofactl
from waeup.kofa.deployment import conf, monitoring
from waeup.kofa.deployment.health import Health, checks_of
from waeup.kofa.tests.cli.far import CERTIFICATE
from waeup.kofa.tests.deployment.monitored import MonitoringTestCase

ROOT = Path(conf.__file__).parents[4]
DEPLOY, DOCS = ROOT / "deploy", ROOT / "docs"
UNITS = ("kofa.service", "kofa-worker@.service")
#: The processes for pages of the example for compose.
WEB = ("web-one", "web-two")
#: Set to 1 where a missing systemd, or HAProxy, is a failure.
REQUIRE, REQUIRE_HAPROXY = "KOFA_REQUIRE_SYSTEMD", "KOFA_REQUIRE_HAPROXY"
FIGURE = re.compile(r"\bkofa_[a-z_]+")


def unit(name):
    """Return the sections of a unit."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read_string((DEPLOY / name).read_text())
    return parser


def configuration(name, **environment):
    """Return what a configuration says."""
    with mock.patch.dict(os.environ, environment):
        return conf.read((DEPLOY / name).read_text(), Path("/etc/kofa/kofa.conf"))


def instructions():
    """Return the instructions of the container file, by name; the last stage counts."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split(None, 1) for line in lines)


def seconds(text):
    """Return a time of systemd or compose in seconds."""
    number, word = re.fullmatch(r"(\d+)(s|min|m)", text).groups()
    return int(number) * (1 if word == "s" else 60)


def require_systemd():
    """Skip the test where there is no systemd, unless there must be one."""
    if shutil.which("systemd-analyze") is None:
        if os.environ.get(REQUIRE) == "1":
            raise AssertionError(f"systemd is not installed, but {REQUIRE}=1 asks for it")
        raise unittest.SkipTest("systemd-analyze is not installed")


class DeployTestCase(unittest.TestCase):
    def setUp(self):
        if not DEPLOY.is_dir():
            raise unittest.SkipTest("no checkout: the files are not installed")

    def assert_command(self, words):
        """`words` are a command of kofactl with options that it has."""
        name, *arguments = words
        command = kofactl.commands[name]
        with command.make_context(name, list(arguments), obj=mock.Mock()) as context:
            self.assertEqual(context.args, [])
        return name


class Units(DeployTestCase):
    """Units of systemd."""

    def test_systemd_understands_them(self):
        require_systemd()
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "kofactl")
            program.touch(0o755)
            for name in UNITS:
                text = (DEPLOY / name).read_text()
                Path(folder, name).write_text(text.replace("/opt/kofa/bin/kofactl", str(program)))
            paths = [str(Path(folder, name)) for name in UNITS]
            done = subprocess.run(
                ["systemd-analyze", "verify", "--man=no", *paths],
                capture_output=True,
                text=True,
                timeout=60,
            )
            self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
            # What it does not know is no error for it.
            self.assertNotIn(folder, done.stderr)
            for path in paths:
                done = subprocess.run(
                    ["systemd-analyze", "security", "--offline=yes", "--threshold=20", path],
                    capture_output=True,
                    text=True,
                    timeout=60,
                )
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_commands_are_those_of_kofactl(self):
        found = []
        for name in UNITS:
            program, *words = shlex.split(unit(name)["Service"]["ExecStart"])
            self.assertEqual(program, "/opt/kofa/bin/kofactl")
            found.append(self.assert_command(words))
            self.assertEqual(words[-2:], ["--config", "/etc/kofa/kofa.conf"])
        self.assertEqual(found, ["run", "worker"])

    def test_both_are_alike(self):
        web, worker = (dict(unit(name)["Service"]) for name in UNITS)
        differ = {key for key in web.keys() | worker.keys() if web.get(key) != worker.get(key)}
        self.assertEqual(differ, {"ExecStart", "Environment"})

    def test_paths_and_ports_are_those_of_the_configuration(self):
        for name, port in zip(UNITS, ("9100", "9103"), strict=True):
            service = unit(name)["Service"]
            variable, value = service["Environment"].replace("%i", "3").split("=")
            said = configuration("kofa.conf", **{variable: value})
            self.assertEqual(said.monitoring, ("127.0.0.1", int(port)))
            self.assertEqual(said.var, Path("/var/lib", service["StateDirectory"]))
            # A backup that replaces a portal comes beside its files: that place is shared, too.
            shared = str(said.storage.parent)
            self.assertEqual(service["ReadWritePaths"], shared)
            self.assertEqual(unit(name)["Unit"]["RequiresMountsFor"], shared)
        self.assertEqual(said.server.trusted_proxy, "127.0.0.1")
        self.assertTrue(said.database.is_shared)


class Containers(DeployTestCase):
    """The image, and the example for compose."""

    def setUp(self):
        super().setUp()
        self.image = instructions()
        self.said = configuration("container.conf")
        self.compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())

    def test_the_image_has_what_the_configuration_names(self):
        ports = [self.said.server.port, self.said.monitoring[1]]
        self.assertEqual(self.image["EXPOSE"].split(), list(map(str, ports)))
        self.assertIn(f"http://127.0.0.1:{ports[1]}/++health'", self.image["HEALTHCHECK"])
        self.assertEqual(
            yaml.safe_load(self.image["VOLUME"]),
            [str(self.said.var), str(self.said.storage.parent)],
        )
        self.assertEqual(self.image["STOPSIGNAL"], "SIGTERM")
        self.assertEqual(self.image["USER"], "10001")
        self.assertIn("useradd --uid 10001", self.image["RUN"])
        self.assertEqual(self.said.logging, conf.Logging("json", "stderr", False))

    def test_commands_are_those_of_kofactl(self):
        self.assertEqual(yaml.safe_load(self.image["ENTRYPOINT"]), ["kofactl"])
        found = [yaml.safe_load(self.image["CMD"])]
        found += [self.compose["services"][name]["command"] for name in (*WEB, "worker")]
        self.assertEqual([self.assert_command(words) for words in found], ["run"] * 3 + ["worker"])

    def test_files_that_are_copied_are_there_and_name_no_host(self):
        text = (DEPLOY / "Containerfile").read_text()
        for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
            for name in line.split()[:-1]:
                self.assertTrue((ROOT / name).exists(), name)
        # Whoever builds it says where images and packages come from.
        for line in text.splitlines():
            if not line.startswith("#") and "127.0.0.1" not in line:
                self.assertNotRegex(line, r"https?://|[a-z]\.(?:io|org|com)\b")

    def test_services(self):
        services = self.compose["services"]
        self.assertEqual(services["db"]["image"], "postgres:15")
        self.assertEqual(services["worker"]["deploy"]["replicas"], 3)
        # Not each engine spreads a range of ports over the containers of a service.
        for published, name in enumerate(WEB, self.said.server.port):
            self.assertEqual(
                services[name]["ports"], [f"127.0.0.1:{published}:{self.said.server.port}"]
            )
        self.assertNotIn("ports", services["worker"])
        stop = seconds(unit(UNITS[0])["Service"]["TimeoutStopSec"])
        for name in (*WEB, "worker"):
            service = services[name]
            self.assertEqual(service["volumes"], [f"files:{self.said.storage.parent}"])
            self.assertEqual(seconds(service["stop_grace_period"]), stop)
            self.assertEqual(ROOT, (DEPLOY / service["build"]["context"]).resolve())
            self.assertTrue((ROOT / service["build"]["dockerfile"]).is_file())
        named = {volume.split(":")[0] for each in services.values() for volume in each["volumes"]}
        self.assertEqual(named, set(self.compose["volumes"]))
        dsn = self.said.database.dsn
        told = services["db"]["environment"]
        self.assertEqual(dsn, f"host=db dbname={told['POSTGRES_DB']} user={told['POSTGRES_USER']}")


class Balancer(DeployTestCase):
    """The example for HAProxy; where that is installed it reads it."""

    def setUp(self):
        super().setUp()
        self.text = (DEPLOY / "haproxy.cfg").read_text()

    def test_it_asks_the_ports_and_pages_that_there_are(self):
        port = configuration("container.conf").server.port
        self.assertEqual(set(re.findall(r"^ +server .*:(\d+)$", self.text, re.M)), {str(port)})
        self.assertIn("option httpchk GET /++health\n", self.text)

    def test_no_request_meets_a_connection_that_ends_nor_is_done_twice(self):
        self.assertIn("\n    option http-server-close\n", self.text)
        self.assertIn("\n    http-request disable-l7-retry unless METH_GET\n", self.text)

    def test_haproxy_understands_it(self):
        program = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
        if program is None:
            if os.environ.get(REQUIRE_HAPROXY) == "1":
                self.fail("haproxy is not installed")
            self.skipTest("haproxy is not installed")
        self.assertIn("/etc/haproxy/kofa.pem", self.text)
        text = self.text.replace("/etc/haproxy/kofa.pem", str(CERTIFICATE))
        with tempfile.NamedTemporaryFile("w", suffix=".cfg") as file:
            file.write(text)
            file.flush()
            answer = subprocess.run(
                [program, "-c", "-f", file.name], capture_output=True, text=True, check=False
            )
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertNotIn("WARNING", answer.stderr)


class Manual(DeployTestCase):
    """What docs/deploying.rst says."""

    def setUp(self):
        super().setUp()
        self.text = (DOCS / "deploying.rst").read_text()

    def test_files_that_it_names_are_there(self):
        named = set(re.findall(r"deploy/([\w@.-]*\w)", self.text))
        self.assertEqual(named, {path.name for path in DEPLOY.iterdir()})

    def test_paths_and_times_that_it_names(self):
        service = unit(UNITS[0])["Service"]
        for text in (service["ReadWritePaths"], "/var/lib/kofa", "/etc/kofa/kofa.conf", "9100"):
            self.assertIn(text, self.text)
        stop = seconds(service["TimeoutStopSec"])
        self.assertIn(f"--stop-timeout {stop}`", self.text)
        self.assertIn(f"``terminationGracePeriodSeconds`` {stop}", self.text)

    def test_commands_that_it_names(self):
        found = re.findall(r"/opt/kofa/bin/kofactl (.*)", self.text)
        self.assertEqual(
            [self.assert_command(shlex.split(line)) for line in found], ["check-config"]
        )


class Figures(MonitoringTestCase):
    """All figures that there can be, what the manual says of them, and who asks for them."""

    def setUp(self):
        super().setUp()
        if not DEPLOY.is_dir():
            raise unittest.SkipTest("no checkout: the files are not installed")
        workers = mock.patch.object(monitoring, "workers", return_value=(2, 2))
        workers.start()
        self.addCleanup(workers.stop)
        present = [SimpleNamespace(what="web")]
        processes = mock.patch.object(presence, "living", return_value=present)
        processes.start()
        self.addCleanup(processes.stop)
        stamp = os.path.join(self.portal.home, "stamp")
        Path(stamp).touch()
        figures = monitoring.SiteFigures(
            self.db, "/kofa", Health(checks_of(self.db, "/kofa")), stamp
        )
        own = [*meters.REGISTRY.collect(), *figures.collect()]
        self.families = {self.named(family): family for family in own}

    def named(self, family):
        """Return how a figure is named by who asks for it."""
        return f"{family.name}_total" if family.type == "counter" else family.name

    def test_the_manual_lists_each_with_its_type_and_labels(self):
        text = (DOCS / "deploying.rst").read_text()
        rows = re.findall(r"^``(\w+)`` +(counter|gauge|histogram) ?(.{0,27})", text, re.MULTILINE)
        self.assertEqual(
            {name: kind for name, kind, _ in rows},
            {name: family.type for name, family in self.families.items()},
        )
        told = {
            name: tuple(re.findall(r"\w+", labels)) for name, _, labels in rows if "kofa_" in name
        }
        for collector in (meters._ROWS, meters._RUN_SECONDS, meters._REQUEST_SECONDS):
            name = self.named(SimpleNamespace(name=collector._name, type=collector._type))
            self.assertEqual(told.pop(name), collector._labelnames)
        for name, labels in told.items():
            samples = self.families[name].samples
            self.assertEqual({tuple(sample.labels) for sample in samples}, {labels}, name)

    def test_alerts_ask_for_figures_that_there_are(self):
        rules = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
        found = [rule for group in rules["groups"] for rule in group["rules"]]
        self.assertGreater(len(found), 8)
        self.assertEqual(len({rule["alert"] for rule in found}), len(found))
        for rule in found:
            with self.subTest(rule["alert"]):
                self.assertIn(rule["labels"]["severity"], ("page", "ticket"))
                self.assertTrue(rule["annotations"]["summary"])
                self.assertLessEqual(set(rule), {"alert", "expr", "for", "labels", "annotations"})
                self.assert_known(rule["expr"])

    def test_queries_of_the_manual_ask_for_figures_that_there_are(self):
        text = (DOCS / "deploying.rst").read_text()
        queries = re.findall(r"^    (sum\(.*)$", text, re.MULTILINE)
        self.assertEqual(len(queries), 2)
        for query in queries:
            self.assert_known(query)

    def assert_known(self, expression):
        """An expression names figures and labels that there are, and closes its brackets."""
        names = FIGURE.findall(expression)
        self.assertTrue(names, expression)
        for name in names:
            base = re.sub(r"_(?:bucket|count|sum)\Z", "", name)
            known = name in self.families or self.families[base].type == "histogram"
            self.assertTrue(known, name)
        for opened, closed in ("()", "[]", "{}"):
            self.assertEqual(expression.count(opened), expression.count(closed), expression)
        for label in re.findall(r"(\w+)=", expression):
            self.assertIn(label, ("kind", "state", "status", "method", "where"), expression)
