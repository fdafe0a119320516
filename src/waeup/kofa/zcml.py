"""The ZCML directive that says where data centers keep their files, and what these may hold.

``<kofa:datacenter path="..." />`` in the namespace of Kofa 1.9; see ``meta.zcml``.
"""

from typing import Any

from zope.component.zcml import utility
from zope.configuration.fields import Path, Tokens
from zope.interface import Interface
from zope.schema import ASCIILine, Float, Int

from waeup.kofa.interfaces import IDataCenterConfig
from waeup.kofa.tabular import Limits


class IDataCenterDirective(Interface):
    """Say where a new data center keeps its files, and what a file may hold."""

    path = Path(
        title="Path",
        description="An existing folder; a relative path counts from the ZCML file.",
        required=True,
    )
    upload_limit = Int(title="Largest upload in bytes", required=False, min=1)
    undo_days = Int(title="Days for which an import can be taken back", required=False, min=0)
    export_hours = Float(
        title="Hours for which the result of an export is kept", required=False, min=0.0
    )
    remove_share = Float(
        title="Share of all objects that a run may remove unasked",
        required=False,
        min=0.0,
        max=1.0,
    )
    change_share = Float(
        title="Share of all objects that a run may change unasked",
        required=False,
        min=0.0,
        max=1.0,
    )
    storage_roots = Tokens(
        title="Folders below which administrators may move the storage",
        value_type=Path(),
        required=False,
    )
    mail_from = ASCIILine(title="Sender of messages about runs", required=False)
    max_rows = Int(title="Rows that a table may have", required=False, min=1)
    max_columns = Int(title="Columns that a table may have", required=False, min=1)
    max_unpacked = Int(
        title="Bytes that may come out of a workbook or a packed file", required=False, min=1
    )
    max_memory = Int(
        title="Bytes of memory for reading a workbook", required=False, min=256 * 1024 * 1024
    )


def data_center_conf(context: Any, path: str, **more: Any) -> None:
    """Register the global utility for `IDataCenterConfig`; two directives conflict."""
    maxima = {
        name.removeprefix("max_"): more.pop(name) for name in list(more) if name.startswith("max_")
    }
    config: dict[str, Any] = {"path": path, **more}
    if "storage_roots" in config:
        config["storage_roots"] = tuple(config["storage_roots"])
    if maxima:
        config["limits"] = Limits(**maxima)
    utility(context, IDataCenterConfig, config)
