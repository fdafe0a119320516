"""The base of exporters: text forms, files, selections."""

import os
import tempfile
import unittest
from datetime import date, datetime

from zope.interface.verify import verifyClass, verifyObject

from waeup.kofa.exporting.base import ExporterBase
from waeup.kofa.interfaces import ICSVExporter


class Cave:
    """An object to be exported."""

    def __init__(self, name, dinoports=None):
        self.name = name
        self.dinoports = dinoports


class CaveExporter(ExporterBase):
    """Exports the caves of a site, which is a dict."""

    fields = ("name", "dinoports", "owner")
    title = "Caves"

    def get_filtered(self, site, **kw):
        return [cave for cave in site.values() if kw.get("name") in (None, cave.name)]

    def get_selected(self, site, selected):
        return [site[name] for name in selected]


class ExporterBaseTests(unittest.TestCase):
    site = {"a": Cave("Sue's", 3), "b": Cave("=1+1")}

    def test_contract(self):
        self.assertTrue(verifyClass(ICSVExporter, ExporterBase))
        self.assertTrue(verifyObject(ICSVExporter, CaveExporter()))

    def test_text_forms_of_1_9(self):
        mangle = ExporterBase().mangle_value
        for value, text in (
            (True, "1"),
            (False, "0"),
            (None, ""),
            ("", ""),
            (date(2012, 4, 1), "2012-04-01#"),
            (datetime(2012, 4, 1, 12, 1, 1), "2012-04-01 12:01:01#"),
            (-5, "-5"),
            (1.5, "1.5"),
            (["a", 1], "['a', 1]"),
            ("Ö", "Ö"),
        ):
            with self.subTest(value=value):
                self.assertEqual(mangle(value, "name"), text)

    def test_safe_cells(self):
        exporter = ExporterBase()
        self.assertEqual(exporter.mangle_value("=1+1", "name"), "'=1+1")
        exporter.safe_cells = False
        self.assertEqual(exporter.mangle_value("=1+1", "name"), "=1+1")

    def test_text(self):
        self.assertEqual(
            CaveExporter().export_all(self.site),
            "name,dinoports,owner\r\nSue's,3,\r\n'=1+1,,\r\n",
        )

    def test_file(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "caves.csv")
            self.assertIsNone(CaveExporter().export([Cave("Ö")], path))
            with open(path, "rb") as stream:
                self.assertEqual(stream.read(), "name,dinoports,owner\r\nÖ,,\r\n".encode())

    def test_filtered_and_selected(self):
        exporter = CaveExporter()
        self.assertEqual(
            exporter.export_filtered(self.site, name="=1+1"),
            "name,dinoports,owner\r\n'=1+1,,\r\n",
        )
        self.assertEqual(
            exporter.export_selected(self.site, selected=["a"]),
            "name,dinoports,owner\r\nSue's,3,\r\n",
        )
        self.assertEqual(exporter.export_selected(self.site), "name,dinoports,owner\r\n")

    def test_what_a_kind_must_say(self):
        exporter = ExporterBase()
        for call in (exporter.export_all, exporter.export_filtered, exporter.export_selected):
            with self.assertRaisesRegex(NotImplementedError, "method not implemented"):
                call({})

    def test_file_is_closed_when_an_object_cannot_be_exported(self):
        """Warnings about open files are errors in the test run."""

        class Broken(CaveExporter):
            def mangle_value(self, value, name, context=None):
                raise ZeroDivisionError

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "caves.csv")
            with self.assertRaises(ZeroDivisionError):
                Broken().export([Cave("x")], path)
            self.assertEqual(os.path.getsize(path), len("name,dinoports,owner\r\n"))
