"""What the tests of unpacking share: archives and workbooks, made on the spot."""

import io
import os
import zipfile

import xlsxwriter
import xlwt

from waeup.kofa.errors import Refused
from waeup.kofa.tabular.unpacking import unpack
from waeup.kofa.tests.tabular.files import FileTestCase

TABLE = b"a,b\r\n1,2\r\n"
CALC = "application/vnd.oasis.opendocument.spreadsheet"
_NAMESPACES = " ".join(
    f'xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
        "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
        "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
        "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
        "calcext": "urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0",
    }.items()
)
_HIDDEN = (
    '<style:style style:name="hidden" style:family="table">'
    '<style:table-properties table:display="false"/></style:style>'
)


def zipped(*members, method=zipfile.ZIP_DEFLATED):
    """Return a ZIP file of pairs of name and content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def xlsx(fill, **options):
    """Return the .xlsx file of which `fill` is called with the workbook."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, **options}) as workbook:
        fill(workbook)
    return buffer.getvalue()


def xlsx_of(rows, **options):
    """Return an .xlsx file with one sheet of `rows`."""

    def fill(workbook):
        sheet = workbook.add_worksheet("Courses")
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)

    return xlsx(fill, **options)


def xls(fill):
    """Return the .xls file of which `fill` is called with the workbook."""
    buffer = io.BytesIO()
    workbook = xlwt.Workbook()
    fill(workbook)
    workbook.save(buffer)
    return buffer.getvalue()


def ods(*rows, more="", mimetype=CALC):
    """Return an .ods file with a sheet of `rows`, each a list of XML cells; `more` is XML."""
    lines = "".join(f"<table:table-row>{''.join(row)}</table:table-row>" for row in rows)
    content = (
        f'<?xml version="1.0"?><office:document-content {_NAMESPACES} office:version="1.2">'
        f"<office:automatic-styles>{_HIDDEN}</office:automatic-styles><office:body>"
        f'<office:spreadsheet><table:table table:name="Courses">{lines}</table:table>{more}'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{CALC}"/>'
        "</manifest:manifest>"
    )
    return zipped(
        ("mimetype", mimetype), ("content.xml", content), ("META-INF/manifest.xml", manifest)
    )


def cell(kind, text="", **attributes):
    """Return an .ods cell of the given value type; attributes of `office` by name."""
    values = "".join(
        f' office:{name.replace("_", "-")}="{value}"' for name, value in attributes.items()
    )
    return (
        f'<table:table-cell office:value-type="{kind}"{values}><text:p>{text}</text:p>'
        "</table:table-cell>"
    )


class UnpackingTestCase(FileTestCase):
    """Tests that unpack; a failing one leaves nothing behind."""

    def unpack(self, content, name="table.bin", **options):
        """Unpack `content`; return what `unpack` says and the bytes that came out."""
        target = self.path("unpacked")
        found = unpack(self.file(content, name), target, **options)
        return found, self.content(target)

    def text(self, content, **options):
        """Return the unpacked text of a workbook."""
        return self.unpack(content, **options)[1].decode()

    def refusal(self, content, name="table.bin", error=Refused, **options):
        """Return the message of the refusal, and make sure that no file is left."""
        path = self.file(content, name)
        before = sorted(os.listdir(self.folder))
        with self.assertRaises(error) as caught:
            unpack(path, self.path("unpacked"), **options)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        return str(caught.exception)
