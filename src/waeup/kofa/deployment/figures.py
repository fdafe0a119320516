"""The limits that the operator sets, as each process of a portal gets to know them.

With the embedded database a start of the portal writes them to a file, since options of that
start may differ from the configuration: commands that work without a portal read it.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from waeup.kofa import usual
from waeup.kofa.errors import Refused

#: Figures that releases have learned one after the other.
_LATER = ("export_hours", "storage_roots", "webhook_allow", "api_requests", "api_wrong_tokens")


class Figures(NamedTuple):
    """What the operator allows.

    `upload_limit` counts bytes of an upload; `rows`, `columns`, `unpacked` and `memory` are those
    of `waeup.kofa.tabular.Limits`, the others those of `IDataCenterConfig`.
    """

    upload_limit: int = usual.UPLOAD_LIMIT
    rows: int = usual.ROWS
    columns: int = usual.COLUMNS
    unpacked: int = usual.UNPACKED
    memory: int = usual.MEMORY
    undo_days: int = usual.UNDO_DAYS
    remove_share: float = usual.REMOVE_SHARE
    change_share: float = usual.CHANGE_SHARE
    mail_from: str | None = None
    export_hours: float = usual.EXPORT_HOURS
    storage_roots: tuple[str, ...] = ()
    webhook_allow: tuple[str, ...] = ()
    api_requests: int = usual.API_REQUESTS
    api_wrong_tokens: int = usual.API_WRONG_TOKENS

    def config(self) -> dict[str, Any]:
        """Return them as `IDataCenterConfig` has them."""
        from waeup.kofa.tabular import Limits

        config = self._asdict()
        names = ("rows", "columns", "unpacked", "memory")
        return {**config, "limits": Limits(**{name: config.pop(name) for name in names})}

    def keep(self, path: Path) -> None:
        """Write them to a file, for the commands that work without a portal."""
        new = path.with_name(f"{path.name}.new")
        with new.open("w", encoding="ascii") as stream:
            json.dump(self._asdict(), stream, indent=2)
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(path)

    @classmethod
    def kept(cls, path: Path) -> "Figures | None":
        """Return what `keep` has written, None if nothing; raises `Refused` for damage."""
        try:
            kept: dict[str, Any] = json.loads(path.read_text())
            # A former release has those of a table apart, and more of them.
            of_table = kept.pop("limits", {})
            kept |= {name: of_table[name] for name in cls._fields if name in of_table}
            # A former release has none of these.
            for name in _LATER:
                kept.setdefault(name, cls._field_defaults[name])
            for name in ("storage_roots", "webhook_allow"):
                kept[name] = tuple(kept[name])
            return cls(**{name: kept.pop(name) for name in cls._fields}, **kept)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise Refused(
                f"{path} cannot be understood: {error}. Remove it; the next `kofactl run` makes "
                "it."
            )
