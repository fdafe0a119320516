"""The page of names of Kofa 1.9: it lists them all, and each name is where it says."""

import re
import unittest
from importlib import import_module
from pathlib import Path

import waeup.kofa.interfaces

PAGE = Path(waeup.kofa.interfaces.__file__).parents[3] / "docs" / "names.rst"
#: Names of 1.9 by module; members behind their class.
NAMES = {
    "datacenter": """
        DataCenter: storage deleted_path graduated_path max_files logger_name logger_filename
            getPendingFiles getFinishedFiles getLogFiles queryLogfiles setStoragePath
            distProcessedFiles _moveFile _appendCSVFile _logfiles _createSubDirs running_exports
            start_export_job get_running_export_jobs get_export_jobs_status delete_export_entry
            entry_from_job_id
        DataCenterFile: name rel_path size uploaddate lines getDate getTimeStamp getSize
            getLinesNumber
        LogFile: userid mode stats source getUserId getMode getStats getSourcePath
        """,
    "utils.batching": """
        BatchProcessor: name util_name iface location_fields factory_name required_fields req
            available_fields getHeaders checkHeaders getMapping applyMapping emptyRow
            checkConversion stringFromErrs callFactory parentsExist entryExists getParent getEntry
            addEntry delEntry checkCreateRequirements checkUpdateRequirements
            checkRemoveRequirements updateEntry createLogfile writeFailedRow doImport
            get_csv_skeleton
        ExporterBase: fields title mangle_value get_csv_writer write_item close_outfile
            get_filtered get_selected export export_all export_filtered export_selected
        export_job AsyncExportJob ExportJobContainer VirtualExportJobContainer
        """,
    "utils.helpers": """
        remove_file_or_directory copy_filesystem_tree merge_csv_files check_csv_charset file_size
        string_from_bytes cmp_files get_current_principal iface_names attrs_to_fields FactoryBase
        now to_timezone get_user_account product NullHandler MemInfo get_meminfo html2dict
        rest2dict get_inner_HTML_part ReST2HTML get_fileformat check_pdf extract_formvars
        get_catalog_docids reindex_cat
        """,
    "utils.logger": """
        Logger: logger_name logger_filename logger_format_str logger logger_setup
            logger_get_logfile_path logger_get_logdir logger_logfile_changed logger_shutdown
        ILogger
        ILoggerCollector: getLoggers registerLogger unregisterLogger
        handle_datacenter_storage_moved
        """,
    "utils.converters": """
        IObjectConverter: fromStringDict
        IFieldConverter: request_data
        DefaultObjectConverter: fromStringDict
        """,
}
#: Attributes of objects, which their classes do not have.
OF_OBJECTS = {"DataCenter.storage", "DataCenterFile.name"}
_ROW = re.compile(r"^``([\w.]+)`` +(\S.*)$", re.MULTILINE)
_PLACE = re.compile(r"``(waeup\.kofa[\w.]*)``")


def names_of(text):
    """Generate the names of a module of `NAMES`."""
    owner = ""
    for line in text.splitlines():
        head, colon, members = line.strip().partition(":")
        is_more = line.startswith(" " * 12)
        if colon:
            owner = head
            yield owner
        for name in (members if colon else head).split():
            yield f"{owner}.{name}" if colon or is_more else name


def find(path):
    """Return what a dotted path leads to; raises ImportError or AttributeError."""
    parts = path.split(".")
    for number in range(len(parts), 0, -1):
        try:
            found = import_module(".".join(parts[:number]))
        except ModuleNotFoundError:
            continue
        for name in parts[number:]:
            # Names of an interface are no attributes of it.
            direct = getattr(found, "direct", None)
            member = direct(name) if direct is not None else None
            found = getattr(found, name) if member is None else member
        return found
    raise ImportError(path)


class NamesTests(unittest.TestCase):
    """``docs/names.rst``."""

    def setUp(self):
        if not PAGE.exists():
            self.skipTest("an installed package has no manual")
        self.text = PAGE.read_text(encoding="utf-8")
        self.sections = {}
        parts = re.split(r"^waeup\.kofa\.([\w.]+)\n=+$", self.text, flags=re.MULTILINE)
        for name, text in zip(parts[1::2], parts[2::2], strict=True):
            self.sections[name] = dict(_ROW.findall(text))

    def test_all_names_are_listed(self):
        for module, text in NAMES.items():
            with self.subTest(module):
                listed = set(self.sections[module])
                self.assertEqual(set(names_of(text)) - listed, set())

    def test_what_is_the_same_is_found_where_it_was(self):
        number = 0
        for module, rows in self.sections.items():
            for name, place in rows.items():
                if place.startswith("same"):
                    number += 1
                    with self.subTest(module=module, name=name):
                        owner = name.partition(".")[0] if name in OF_OBJECTS else name
                        find(f"waeup.kofa.{module}.{owner}")
        self.assertGreater(number, 100)

    def test_what_is_not_has_a_replacement_that_exists(self):
        for module, rows in self.sections.items():
            for name, place in rows.items():
                with self.subTest(module=module, name=name):
                    self.assertTrue(
                        place.startswith(("same", "not here: ", "nothing to be done: "))
                        or _PLACE.search(place)
                        or "by themselves" in place,
                        place,
                    )
                    if not place.startswith("same"):
                        with self.assertRaises(AttributeError):
                            find(f"waeup.kofa.{module}.{name}")

    def test_all_places_exist(self):
        for place in set(_PLACE.findall(self.text)):
            with self.subTest(place):
                find(place)
