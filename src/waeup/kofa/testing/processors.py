"""The contract of importers: `ProcessorContract`."""

from waeup.kofa.testing.applied import AppliedRules
from waeup.kofa.testing.declared import DeclaredRules
from waeup.kofa.testing.rowrules import RowRules
from waeup.kofa.testing.wholefiles import WholeFileRules


class ProcessorContract(WholeFileRules, RowRules, AppliedRules, DeclaredRules):
    """What the portal expects of a processor (`waeup.kofa.interfaces.IBatchProcessor`).

    Declare `processor`, `rows` and `changes`; see `Contract` for more.
    """
