"""What a person can do with the data center: each operation once.

Doors (web, command line) hold item names and a principal; here permissions are
checked, names become paths, and the rooms below do the work.  Transactions
belong to the doors, but for runs, which have their own (`waeup.kofa.jobs`).

What the operations return is here at once, `Operations` and what else comes from the
modules of single operations when it is first asked for: with them comes all that a portal is
made of, and ``kofactl`` does without when a portal runs that carries out its commands.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from waeup.kofa.operations.values import (
    CellInfo,
    ChoiceColumn,
    CorrectedText,
    DateOrder,
    DoneRow,
    DoneRows,
    ExporterInfo,
    FailingRow,
    FieldInfo,
    FilterInfo,
    ForeignText,
    FormerImport,
    HistoryEntry,
    HistoryKind,
    LikeCell,
    LogInfo,
    LogPage,
    Mention,
    NewToken,
    ObjectHistory,
    ProcessorInfo,
    ProposedColumn,
    ProposedKind,
    RoleInfo,
    RowVerdict,
    RunInfo,
    StoredFile,
    TokenInfo,
    UserInfo,
    ValueChange,
)

if TYPE_CHECKING:
    from waeup.kofa.importing.failing import ProblemGroup
    from waeup.kofa.importing.preview import Preview
    from waeup.kofa.operations.figures import Figures, FigureSum, Period
    from waeup.kofa.operations.kinds import KindColumn, KindInfo, SourceInfo
    from waeup.kofa.operations.state import Backup, Counted, SystemState, Workers
    from waeup.kofa.operations.whole import Operations

__all__ = [
    "Backup",
    "CellInfo",
    "ChoiceColumn",
    "CorrectedText",
    "Counted",
    "DateOrder",
    "DoneRow",
    "DoneRows",
    "ExporterInfo",
    "FailingRow",
    "FieldInfo",
    "FigureSum",
    "Figures",
    "FilterInfo",
    "ForeignText",
    "FormerImport",
    "HistoryEntry",
    "HistoryKind",
    "KindColumn",
    "KindInfo",
    "LikeCell",
    "LogInfo",
    "LogPage",
    "Mention",
    "NewToken",
    "ObjectHistory",
    "Operations",
    "Period",
    "Preview",
    "ProblemGroup",
    "ProcessorInfo",
    "ProposedColumn",
    "ProposedKind",
    "RoleInfo",
    "RowVerdict",
    "RunInfo",
    "SourceInfo",
    "StoredFile",
    "SystemState",
    "TokenInfo",
    "UserInfo",
    "ValueChange",
    "Workers",
]

#: Name -> the module from which it comes when it is first asked for.
_LATER = {
    "ProblemGroup": "waeup.kofa.importing.failing",
    "Preview": "waeup.kofa.importing.preview",
    **dict.fromkeys(("Figures", "FigureSum", "Period"), "waeup.kofa.operations.figures"),
    **dict.fromkeys(("KindColumn", "KindInfo", "SourceInfo"), "waeup.kofa.operations.kinds"),
    **dict.fromkeys(
        ("Backup", "Counted", "SystemState", "Workers"), "waeup.kofa.operations.state"
    ),
    "Operations": "waeup.kofa.operations.whole",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found
