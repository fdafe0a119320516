"""Uploads by the protocol tus: what a client of it may rely on, and one that is real."""

import base64
import hashlib
import io
import os
import socket
from contextlib import contextmanager, suppress
from unittest import mock

import transaction
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed
from ZODB.POSException import ConflictError

from waeup.kofa.api import http
from waeup.kofa.api.addresses import may_be_large
from waeup.kofa.api.http import refused_by_server
from waeup.kofa.api.route import ROOT
from waeup.kofa.cli.gate import SMALL_REQUEST, Gate
from waeup.kofa.cli.serve import _Channel
from waeup.kofa.operations import Operations
from waeup.kofa.spool import Partial
from waeup.kofa.tests.api.portal import FACULTIES, ApiCase
from waeup.kofa.tests.functional import FunctionalLayer
from waeup.kofa.tests.serving import answering
from waeup.kofa.tests.waiting import begun, joined

PIECE = "application/offset+octet-stream"
VERSION = ("Tus-Resumable", "1.0.0")


def metadata(**values: str) -> str:
    """Return the header that tells of a file."""
    pairs = ((key, base64.b64encode(value.encode()).decode()) for key, value in values.items())
    return ",".join(f"{key} {value}" for key, value in pairs)


def checksum(data: bytes, name: str = "sha1") -> str:
    """Return the header that tells of a piece."""
    return f"{name} {base64.b64encode(hashlib.new(name, data).digest()).decode()}"


class TusCase(ApiCase):
    """Has words for the requests of the protocol."""

    def setUp(self):
        super().setUp()
        FunctionalLayer.add_user("bola", "waeup.DataCenterManager")

    def tus(self, method, path, *, data=None, version=True, **more):
        """Return the answer to a request of the protocol; `more` are headers, but for `token`."""
        token = more.pop("token", "")
        headers = [(name.replace("_", "-"), value) for name, value in more.items()]
        headers += [VERSION] if version else []
        kind = {} if data is None else {"content_type": PIECE}
        for name, value in headers:
            if name == "Content-Type":
                kind = {"content_type": value}
        headers = [pair for pair in headers if pair[0] != "Content-Type"]
        return self.ask(method, path, token=token, data=data, headers=headers, **kind)

    def begin(self, size=None, name="f.csv", *, token="", data=None, **values):
        """Begin an upload of `FACULTIES`, or of a `size`; return its address below `ROOT`."""
        size = len(FACULTIES) if size is None else size
        answer = self.tus(
            "POST",
            "/uploads",
            token=token,
            data=data,
            Upload_Length=str(size),
            Upload_Metadata=metadata(filename=name, **values),
        )
        self.assertEqual(answer.status_code, 201, answer.text)
        return answer.headers["Location"].removeprefix(ROOT)

    def send(self, address, offset, data, **more):
        """Send a piece; return the answer."""
        return self.tus("PATCH", address, data=data, Upload_Offset=str(offset), **more)

    def storage_names(self):
        """Return the names of files and work folders."""
        names = {*os.listdir(self.storage)} - {"deleted", "finished", "logs", "unfinished"}
        return sorted(names)


class Protocol(TusCase):
    """What the specification says."""

    def test_a_client_asks_what_there_is(self):
        for path in ("/uploads", "/uploads/x"):
            answer = self.tus("OPTIONS", path, token=None, version=False)
            self.assertEqual((answer.status_code, answer.data), (204, b""))
            self.assertEqual(answer.headers["Tus-Version"], "1.0.0")
            self.assertEqual(
                answer.headers["Tus-Extension"],
                "creation,creation-with-upload,termination,expiration,checksum",
            )
            self.assertEqual(answer.headers["Tus-Max-Size"], str(200 << 20))
            self.assertEqual(answer.headers["Tus-Checksum-Algorithm"], "sha1,sha256")

    def test_other_versions_are_told_which_one_there_is(self):
        address = self.begin()
        for method, path in (
            ("POST", "/uploads"),
            ("HEAD", address),
            ("PATCH", address),
            ("DELETE", address),
        ):
            for headers in ([], [("Tus-Resumable", "0.2.2")]):
                answer = self.ask(method, path, headers=headers)
                self.assertEqual(answer.status_code, 412, method)
                self.assertEqual(answer.headers["Tus-Version"], "1.0.0")
                self.assertEqual(answer.headers["Tus-Resumable"], "1.0.0")

    def test_each_answer_names_the_version_but_of_options(self):
        address = self.begin()
        reader = self.new_token("boss", "read")
        for method, path in (
            ("POST", "/uploads"),
            ("HEAD", address),
            ("PATCH", address),
            ("DELETE", address),
            ("POST", address),
            ("PUT", address),
        ):
            for token in (None, "kofa_wrong", reader):
                more = {"Upload_Length": "5", "Upload_Metadata": metadata(filename="g.csv")}
                if method == "PATCH":
                    more = {"Upload_Offset": "0", "data": b"x"}
                answer = self.tus(method, path, token=token, **more)
                with self.subTest(method=method, path=path, status=answer.status_code):
                    self.assertIn(answer.status_code, (200, 401, 403, 405))
                    self.assertEqual(answer.headers["Tus-Resumable"], "1.0.0")
        failing = mock.patch.object(Operations, "upload_state", side_effect=ZeroDivisionError)
        with failing, self.assertLogs("SiteError"):
            answer = self.tus("HEAD", address)
        self.assertEqual((answer.status_code, answer.headers["Tus-Resumable"]), (500, "1.0.0"))
        for path, is_spoken in (("/uploads/x", True), ("/files", False)):
            _, headers, _ = refused_by_server(413, "", "PATCH", ROOT + path)
            self.assertEqual(("Tus-Resumable", "1.0.0") in headers, is_spoken)
        self.assertNotIn("Tus-Resumable", self.ask("GET", "/files").headers)

    def test_from_the_beginning_to_the_file(self):
        address = self.begin()
        answer = self.tus("HEAD", address)
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.headers["Upload-Offset"], "0")
        self.assertEqual(answer.headers["Upload-Length"], str(len(FACULTIES)))
        self.assertEqual(answer.headers["Upload-Metadata"], metadata(filename="f.csv"))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertRegex(answer.headers["Upload-Expires"], r"^\w{3}, \d\d \w{3} \d{4} .* GMT$")
        answer = self.send(address, 0, FACULTIES[:9])
        self.assertEqual((answer.status_code, answer.data), (204, b""))
        self.assertEqual(answer.headers["Upload-Offset"], "9")
        self.assertIn("Upload-Expires", answer.headers)
        self.assertNotIn("Kofa-File", answer.headers)
        answer = self.send(address, 9, FACULTIES[9:])
        self.assertEqual(answer.status_code, 204)
        self.assertEqual(answer.headers["Upload-Offset"], str(len(FACULTIES)))
        self.assertEqual(answer.headers["Kofa-File"], "f_boss.csv")
        self.assertEqual(answer.headers["Tus-Resumable"], "1.0.0")
        self.assertNotIn("Upload-Expires", answer.headers)
        path = answer.headers["Location"].removeprefix(ROOT)
        self.assertEqual(self.ask("GET", path).data, FACULTIES)
        self.assertEqual(self.storage_names(), ["f_boss.csv"])

    def test_the_first_bytes_come_with_the_beginning(self):
        address = self.begin(data=FACULTIES[:5])
        self.assertEqual(self.tus("HEAD", address).headers["Upload-Offset"], "5")
        self.send(address, 5, FACULTIES[5:])
        answer = self.tus(
            "POST",
            "/uploads",
            data=FACULTIES,
            Upload_Length=str(len(FACULTIES)),
            Upload_Metadata=metadata(name="all at once.csv", filetype="text/csv"),
            Upload_Checksum=checksum(FACULTIES, "sha256"),
        )
        self.assertEqual(answer.status_code, 201, answer.text)
        self.assertEqual(answer.headers["Kofa-File"], "all_at_once_boss.csv")
        self.assertEqual(answer.headers["Upload-Offset"], str(len(FACULTIES)))
        self.assertIn("/uploads/", answer.headers["Location"])
        self.assertEqual(self.storage_names(), ["all_at_once_boss.csv", "f_boss.csv"])

    def test_an_end(self):
        address = self.begin()
        self.send(address, 0, FACULTIES[:5])
        answer = self.tus("DELETE", address)
        self.assertEqual((answer.status_code, answer.headers["Tus-Resumable"]), (204, "1.0.0"))
        for method in ("HEAD", "DELETE"):
            self.assertEqual(self.tus(method, address).status_code, 404)
        self.problem(self.send(address, 5, b"x"), 404, "no-such-item")
        self.assertEqual(self.storage_names(), [])

    def test_checksums(self):
        address = self.begin()
        answer = self.send(address, 0, b"code", Upload_Checksum=checksum(b"Code"))
        self.problem(answer, 460, "wrong-checksum")
        self.assertEqual(answer.headers["Tus-Resumable"], "1.0.0")
        for text in ("md5 AAAA", "sha1", "sha1 x"):
            answer = self.send(address, 0, b"code", Upload_Checksum=text)
            self.problem(answer, 400, "bad-request")
        self.assertEqual(self.tus("HEAD", address).headers["Upload-Offset"], "0")
        for at, name in enumerate(("sha1", "sha256")):
            answer = self.send(address, at, b"x", Upload_Checksum=checksum(b"x", name))
            self.assertEqual(answer.status_code, 204)

    def test_wrong_offsets(self):
        address = self.begin(data=b"code")
        found = self.problem(self.send(address, 3, b"e"), 409, "wrong-offset")
        self.assertEqual(found["offset"], 4)
        for text in ("", "-1", "x", "1" * 16, "٣"):
            answer = self.send(address, text.encode().decode("latin-1"), b"e")
            self.problem(answer, 400, "bad-request")

    def test_what_is_no_upload(self):
        said = metadata(filename="f.csv")
        for status, code, headers in (
            (400, "bad-request", {"Upload_Metadata": said}),
            (400, "bad-request", {"Upload_Length": "x", "Upload_Metadata": said}),
            (400, "bad-request", {"Upload_Defer_Length": "1", "Upload_Metadata": said}),
            (400, "bad-request", {"Upload_Length": "5", "Upload_Metadata": "filename %"}),
            (400, "bad-request", {"Upload_Length": "5", "Upload_Metadata": "filename /w=="}),
            (422, "invalid-name", {"Upload_Length": "5"}),
            (
                422,
                "invalid-name",
                {"Upload_Length": "5", "Upload_Metadata": metadata(name="x")},
            ),
            (
                400,
                "bad-request",
                {"Upload_Length": "5", "Upload_Metadata": metadata(name="x" * 4096)},
            ),
            (413, "too-large", {"Upload_Length": "9" * 15, "Upload_Metadata": said}),
            (
                422,
                "refused",
                {"Upload_Length": "5", "Upload_Metadata": metadata(filename="a.csv", digest="x")},
            ),
        ):
            with self.subTest(headers):
                self.problem(self.tus("POST", "/uploads", **headers), status, code)
        for data, kind in ((b"code", "text/csv"), (b"code", "application/octet-stream")):
            more = {"Content-Type": kind, "Upload_Length": "5", "Upload_Metadata": said}
            answer = self.tus("POST", "/uploads", data=data, **more)
            self.problem(answer, 415, "unsupported-media-type")
            answer = self.send(self.begin(), 0, data, **{"Content-Type": kind})
            self.problem(answer, 415, "unsupported-media-type")
            self.assertEqual(answer.headers["Accept-Patch"], PIECE)
        self.problem(self.send(self.begin(3), 0, b"code"), 413, "too-large")

    def test_a_beginning_that_fails_leaves_nothing(self):
        answer = self.tus(
            "POST",
            "/uploads",
            data=b"code",
            Upload_Length="10",
            Upload_Metadata=metadata(filename="f.csv"),
            Upload_Checksum=checksum(b"Code"),
        )
        self.problem(answer, 460, "wrong-checksum")
        self.assertEqual(self.storage_names(), [])

    def test_methods_that_are_named_in_a_header(self):
        address = self.begin()
        more = {"data": FACULTIES[:4], "Upload_Offset": "0"}
        answer = self.tus("POST", address, X_HTTP_Method_Override="PATCH", **more)
        self.assertEqual((answer.status_code, answer.headers["Upload-Offset"]), (204, "4"))
        answer = self.tus("POST", address, X_HTTP_Method_Override="HEAD")
        self.assertEqual(answer.headers["Upload-Offset"], "4")
        for more in ({}, {"X_HTTP_Method_Override": "PUT"}):
            self.problem(self.tus("POST", address, **more), 405, "method-not-allowed")
        answer = self.tus("POST", address, X_HTTP_Method_Override="DELETE")
        self.assertEqual(answer.status_code, 204)
        self.assertEqual(self.tus("HEAD", address).status_code, 404)


class Ends(TusCase):
    """What becomes of an upload all of whose bytes have come."""

    def test_an_answer_that_is_lost(self):
        address = self.begin()
        self.send(address, 0, FACULTIES)
        answer = self.tus("HEAD", address)
        self.assertEqual(answer.headers["Upload-Offset"], answer.headers["Upload-Length"])
        self.assertEqual(answer.headers["Kofa-File"], "f_boss.csv")
        # Some go on with what is left.
        answer = self.send(address, len(FACULTIES), b"")
        self.assertEqual((answer.status_code, answer.headers["Kofa-File"]), (204, "f_boss.csv"))
        self.problem(self.send(address, len(FACULTIES), b"x"), 413, "too-large")
        self.problem(self.send(address, 0, FACULTIES), 409, "wrong-offset")
        self.assertEqual(self.get(address)["stored"], "f_boss.csv")
        self.assertEqual(self.storage_names(), ["f_boss.csv"])

    def test_a_portal_that_died_before_it_was_stored(self):
        """Who asks is told that all has come: it must be stored then."""
        address = self.begin()
        with (
            mock.patch.object(Operations, "finish_upload", side_effect=OSError("a power cut")),
            self.assertLogs("SiteError"),
        ):
            self.assertEqual(self.send(address, 0, FACULTIES).status_code, 500)
        self.assertEqual(self.storage_names(), [".work"])
        answer = self.tus("HEAD", address)
        self.assertEqual((answer.status_code, answer.headers["Kofa-File"]), (200, "f_boss.csv"))
        self.assertEqual(self.storage_names(), ["f_boss.csv"])

    def test_conflicts_are_repeated(self):
        address = self.begin()
        real, calls = transaction.commit, []

        def commit():
            calls.append(1)
            if len(calls) in (1, 3):
                transaction.abort()
                raise ConflictError
            real()

        with mock.patch.object(http.transaction, "commit", commit):
            answer = self.send(address, 0, FACULTIES)
        self.assertEqual((answer.status_code, len(calls)), (204, 4), answer.text)
        self.assertEqual(answer.headers["Kofa-File"], "f_boss.csv")
        self.assertEqual(self.storage_names(), ["f_boss.csv"])

    def test_content_that_is_refused(self):
        content = b"\x89PNG\r\n\x1a\n" + b"\0" * 50
        address = self.begin(len(content))
        found = self.problem(self.send(address, 0, content), 422, "unreadable-table")
        self.assertIn("PNG image", found["detail"])
        self.assertEqual(self.tus("HEAD", address).status_code, 404)
        answer = self.tus(
            "POST", "/uploads", Upload_Length="0", Upload_Metadata=metadata(filename="f.csv")
        )
        self.problem(answer, 422, "empty-table")
        self.assertEqual(self.storage_names(), [])

    def test_a_digest_of_all(self):
        digest = hashlib.sha256(FACULTIES).hexdigest()
        for said, status in ((digest, 204), ("0" * 64, 422)):
            address = self.begin(digest=said)
            self.assertEqual(self.send(address, 0, FACULTIES).status_code, status)
        self.assertEqual(self.storage_names(), ["f_boss.csv"])

    def test_a_pending_file(self):
        name = "f.create.pending.csv"
        self.store(name, "code,title\nOLD,Old\n")
        for values in ({}, {"replace": "false"}):
            more = {
                "Upload_Length": "10",
                "Upload_Metadata": metadata(filename=name, **values),
            }
            self.problem(self.tus("POST", "/uploads", **more), 409, "name-taken")
        address = self.begin(name=name, replace="yes", color="red")
        said = self.tus("HEAD", address).headers["Upload-Metadata"]
        self.assertEqual(said, metadata(filename=name, replace="yes", color="red"))
        self.assertEqual(self.send(address, 0, FACULTIES).headers["Kofa-File"], name)
        self.assertEqual((self.storage / name).read_bytes(), FACULTIES)

    def test_names_that_are_not_ascii(self):
        address = self.begin(name="Fächer 1.csv")
        answer = self.send(address, 0, FACULTIES)
        self.assertEqual(answer.headers["Kofa-File"], "F%C3%A4cher_1_boss.csv")
        path = answer.headers["Location"].removeprefix(ROOT)
        self.assertEqual(self.ask("GET", path).data, FACULTIES)


class Rights(TusCase):
    """Who may what."""

    def test_two_officers(self):
        other = self.new_token("bola")
        address = self.begin()
        for answer in (
            self.tus("HEAD", address, token=other),
            self.send(address, 0, b"x", token=other),
            self.tus("DELETE", address, token=other),
        ):
            self.assertEqual(answer.status_code, 404)
        self.assertEqual(self.get("/uploads", token=other), [])
        theirs = self.begin(token=other)
        self.assertEqual(len(self.get("/uploads")), 2)
        # An administrator may only end it.
        self.assertEqual(self.tus("HEAD", theirs).status_code, 404)
        self.assertEqual(self.tus("DELETE", theirs).status_code, 204)
        self.assertEqual(self.ask("POST", f"{self.begin()}/drop").status_code, 204)
        (left,) = self.get("/uploads")
        self.assertEqual((left["owner"], left["filename"], left["offset"]), ("boss", "f.csv", 0))

    def test_two_requests_at_once(self):
        address = self.begin()
        with Partial(str(self.storage), address.rpartition("/")[2]):
            for answer in (self.send(address, 0, b"x"), self.tus("DELETE", address)):
                self.problem(answer, 423, "upload-locked")
                self.assertIn("Retry-After", answer.headers)
            # To ask is no matter.
            self.assertEqual(self.tus("HEAD", address).status_code, 200)
        self.assertEqual(self.send(address, 0, b"x").status_code, 204)

    def test_tokens(self):
        address, reading = self.begin(), self.new_token("boss", "read")
        self.problem(self.send(address, 0, b"x", token=None), 401, "no-token")
        self.problem(self.send(address, 0, b"x", token=reading), 403, "not-allowed")
        self.problem(
            self.tus(
                "POST",
                "/uploads",
                token=reading,
                Upload_Length="1",
                Upload_Metadata=metadata(filename="f.csv"),
            ),
            403,
            "not-allowed",
        )
        self.assertEqual(self.tus("HEAD", address, token=reading).status_code, 200)
        files = self.new_token("boss", "files")
        self.assertEqual(self.send(address, 0, FACULTIES, token=files).status_code, 204)

    def test_what_may_be_large(self):
        token = f"Bearer {self.token}"
        for method, path, expected in (
            ("POST", "/api/v1/uploads", True),
            ("PATCH", "/api/v1/uploads/x", True),
            ("POST", "/api/v1/uploads/x", True),
            ("HEAD", "/api/v1/uploads/x", False),
            ("DELETE", "/api/v1/uploads/x", False),
            ("PATCH", "/api/v1/uploads", False),
            ("PATCH", "/api/v1/uploads/x/y", False),
        ):
            self.assertIs(may_be_large(method, path, token), expected, (method, path))
            self.assertFalse(may_be_large(method, path, ""))


class Line:
    """A line to a server that breaks: it passes on what comes, and is cut where it is told.

    `cuts` says of one connection after the other how many bytes go up and come down until both
    ends hang up; those after them are whole.
    """

    def __init__(self, port: int, *cuts: tuple[int, int]) -> None:
        self._server = port
        self._cuts = list(cuts)
        self.broken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._threads = [begun(self._accept)]

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *exc_info: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        joined(*self._threads)

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            cut = self._cuts.pop(0) if self._cuts else (-1, -1)
            server = socket.create_connection(("127.0.0.1", self._server))
            for source, target, room in ((client, server, cut[0]), (server, client, cut[1])):
                self._threads.append(begun(self._pass_on, source, target, room))

    def _pass_on(self, source: socket.socket, target: socket.socket, room: int) -> None:
        with suppress(OSError):
            while data := source.recv(4096 if room < 0 else min(4096, room + 1)):
                if 0 <= room < len(data):
                    target.sendall(data[:room])
                    self.broken += 1
                    break
                target.sendall(data)
                room -= len(data) if room > 0 else 0
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        source.close()


class Served(TusCase):
    """A client that is known, and a server as ``kofactl run`` has it."""

    CONTENT = b"code,title\n" + b"".join(b"F%05d,Faculty\n" % number for number in range(5000))

    @contextmanager
    def served(self):
        """Serve the portal in a thread; gives its port."""
        transaction.abort()
        portal = Gate(mock.Mock(side_effect=AssertionError), lambda environment: False, self.api)
        with answering(portal, _Channel, max_request_body_size=1 << 20) as port:
            yield port

    def uploader(self, port: int, content: bytes = CONTENT, name="f.csv", **more):
        """Return a client that sends a file."""
        client = TusClient(
            f"http://127.0.0.1:{port}{ROOT}/uploads",
            headers={"Authorization": f"Bearer {self.token}"},
        )
        return client.uploader(
            file_stream=io.BytesIO(content),
            metadata={"filename": name},
            retry_delay=0,
            upload_checksum=True,
            **more,
        )

    def test_a_file_in_pieces(self):
        with self.served() as port:
            uploader = self.uploader(port, chunk_size=16 * 1024)
            uploader.upload()
        self.assertEqual((self.storage / "f_boss.csv").read_bytes(), self.CONTENT)
        self.assertEqual(uploader.request.response_headers["kofa-file"], "f_boss.csv")
        self.assertEqual(self.storage_names(), ["f_boss.csv"])

    def test_a_line_that_breaks(self):
        """In the middle of pieces, and before answers; nothing is stored twice."""
        length = 16 * 1024
        cuts = [(-1, -1), (-1, -1), (5000, -1), (-1, -1), (-1, 10), (-1, -1), (0, 0), (20000, 5)]
        with self.served() as port, Line(port, *cuts) as line:
            uploader = self.uploader(line.port, chunk_size=length, retries=5)
            uploader.upload()
            self.assertGreaterEqual(line.broken, 4)
        self.assertEqual((self.storage / "f_boss.csv").read_bytes(), self.CONTENT)
        self.assertEqual(self.storage_names(), ["f_boss.csv"])

    def test_the_last_answer_is_lost(self):
        with self.served() as port, Line(port, (-1, -1), (-1, 0)) as line:
            uploader = self.uploader(line.port, retries=1)
            uploader.upload()
            self.assertEqual(line.broken, 1)
        self.assertEqual(self.storage_names(), ["f_boss.csv"])
        self.assertEqual(uploader.request.response_headers["kofa-file"], "f_boss.csv")

    def test_a_client_that_is_started_again(self):
        with self.served() as port:
            first = self.uploader(port, chunk_size=16 * 1024)
            first.upload(stop_at=40_000)
            second = self.uploader(port, chunk_size=1 << 20)
            second.set_url(first.url)
            second.offset = second.get_offset()
            self.assertEqual(second.offset, 40_000)
            second.upload()
        self.assertEqual((self.storage / "f_boss.csv").read_bytes(), self.CONTENT)

    def test_what_is_refused(self):
        with self.served() as port:
            with self.assertRaises(TusUploadFailed) as caught:
                self.uploader(port, b"\x89PNG\r\n\x1a\n" + b"\0" * 50).upload()
            self.assertIn(b"PNG image", caught.exception.response_content)
            with self.assertRaises(TusCommunicationError):
                self.uploader(port, name="x.exe").upload()
        self.assertEqual(self.storage_names(), [])

    def test_who_has_no_token_sends_no_large_piece(self):
        """The server refuses it before it has come."""
        with self.served() as port:
            uploader = self.uploader(port, b"x" * (SMALL_REQUEST + 2))
            uploader.set_url(uploader.create_url())
            uploader.client.headers["Authorization"] = "Bearer x"
            with self.assertRaises(TusUploadFailed) as caught:
                uploader.upload()
            # Who goes on sending may find the line closed before the answer.
            self.assertIn(caught.exception.status_code, (413, None))
        self.assertEqual(self.get("/uploads")[0]["offset"], 0)
