"""All operations in one class; it is asked for as `waeup.kofa.operations.Operations`."""

from waeup.kofa.operations.drafts import DraftOperations
from waeup.kofa.operations.figures import FigureOperations
from waeup.kofa.operations.folders import FolderOperations
from waeup.kofa.operations.history import HistoryOperations
from waeup.kofa.operations.kinds import KindOperations
from waeup.kofa.operations.logs import LogOperations
from waeup.kofa.operations.mending import MendingOperations
from waeup.kofa.operations.moving import MovingOperations
from waeup.kofa.operations.ordering import OrderingOperations
from waeup.kofa.operations.packing import PackingOperations
from waeup.kofa.operations.settings import SettingsOperations
from waeup.kofa.operations.tokens import TokenOperations
from waeup.kofa.operations.upkeep import UpkeepOperations
from waeup.kofa.operations.uploads import UploadOperations
from waeup.kofa.operations.webhooks import WebhookOperations


class Operations(
    OrderingOperations,
    MovingOperations,
    MendingOperations,
    DraftOperations,
    HistoryOperations,
    KindOperations,
    FigureOperations,
    LogOperations,
    SettingsOperations,
    UpkeepOperations,
    WebhookOperations,
    PackingOperations,
    TokenOperations,
    UploadOperations,
    FolderOperations,
):
    """The operations of one person in one portal.

    `site` is the portal, `principal` the person, `grant` what the token allows by which a program
    acts for the person, if one does (`waeup.kofa.tokens`).  Each method raises `NotAllowed`
    when the person lacks the permission, and `Refused` in one of its forms when
    the request cannot be carried out; then nothing was changed.
    """
