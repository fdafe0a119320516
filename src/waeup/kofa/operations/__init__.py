"""What a person can do with the data center: each operation once.

Doors (web, command line) hold item names and a principal; here permissions are
checked, names become paths, and the rooms below do the work.  Transactions
belong to the doors, but for runs, which have their own (`waeup.kofa.jobs`).
"""

from waeup.kofa.importing.failing import ProblemGroup
from waeup.kofa.importing.preview import Preview
from waeup.kofa.operations.figures import FigureOperations, Figures, FigureSum, Period
from waeup.kofa.operations.files import FileOperations
from waeup.kofa.operations.history import HistoryOperations
from waeup.kofa.operations.kinds import KindColumn, KindInfo, KindOperations, SourceInfo
from waeup.kofa.operations.logs import LogOperations
from waeup.kofa.operations.mending import MendingOperations
from waeup.kofa.operations.moving import MovingOperations
from waeup.kofa.operations.people import PeopleOperations
from waeup.kofa.operations.settings import SettingsOperations
from waeup.kofa.operations.state import Backup, Counted, SystemState, Workers
from waeup.kofa.operations.upkeep import UpkeepOperations
from waeup.kofa.operations.values import (
    CellInfo,
    ChoiceColumn,
    CorrectedText,
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
    ObjectHistory,
    ProcessorInfo,
    ProposedColumn,
    RoleInfo,
    RowVerdict,
    RunInfo,
    StoredFile,
    UserInfo,
    ValueChange,
)

__all__ = [
    "Backup",
    "CellInfo",
    "ChoiceColumn",
    "CorrectedText",
    "Counted",
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
    "ObjectHistory",
    "Operations",
    "Period",
    "Preview",
    "ProblemGroup",
    "ProcessorInfo",
    "ProposedColumn",
    "RoleInfo",
    "RowVerdict",
    "RunInfo",
    "SourceInfo",
    "StoredFile",
    "SystemState",
    "UserInfo",
    "ValueChange",
    "Workers",
]


class Operations(
    MovingOperations,
    MendingOperations,
    HistoryOperations,
    KindOperations,
    FigureOperations,
    LogOperations,
    SettingsOperations,
    UpkeepOperations,
    PeopleOperations,
    FileOperations,
):
    """The operations of one person in one portal.

    `site` is the portal, `principal` the person.  Each method raises `NotAllowed`
    when the person lacks the permission, and `Refused` in one of its forms when
    the request cannot be carried out; then nothing was changed.
    """
