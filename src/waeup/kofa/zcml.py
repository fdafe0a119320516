"""The ZCML directive that says where data centers keep their files.

``<kofa:datacenter path="..." />`` in the namespace of Kofa 1.9; see ``meta.zcml``.
"""

from typing import Any

from zope.component.zcml import utility
from zope.configuration.fields import Path
from zope.interface import Interface

from waeup.kofa.interfaces import IDataCenterConfig


class IDataCenterDirective(Interface):
    """Say where a new data center keeps its files."""

    path = Path(
        title="Path",
        description="An existing folder; a relative path counts from the ZCML file.",
        required=True,
    )


def data_center_conf(context: Any, path: str) -> None:
    """Register the global utility for `IDataCenterConfig`; two directives conflict."""
    utility(context, IDataCenterConfig, {"path": path})
