"""The JSON Schemas of classes, collected for the ``components`` of an OpenAPI description.

Each `Codec` says the schema of its own values; those of objects are entered here, once for each
class, and referred to by name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waeup.kofa.api.plain.codecs import Member

#: Classes of the same name have others in descriptions.
_NAMES = {"waeup.kofa.jobs.recovery.Finding": "RecoveryFinding"}


class Parts:
    """Collects the schemas of classes, for the ``components`` of an OpenAPI description.

    Of what comes in (`incoming`), fields with a default may be left out, and there are no others.
    """

    def __init__(self, prefix: str = "#/components/schemas/") -> None:
        self.schemas: dict[str, Any] = {}
        self.incoming = False
        self._prefix = prefix

    def reference(self, kind: Any, members: "dict[str, Member]", about: str) -> dict[str, Any]:
        """Return the reference to the schema of a class, which is made if need be."""
        name = name_of(kind) + ("Input" if self.incoming else "")
        if name not in self.schemas:
            self.schemas[name] = {}
            found: dict[str, Any] = {"type": "object", "description": about}
            found["properties"] = {
                member: each.codec.schema(self) for member, each in members.items()
            }
            required = [
                member
                for member, each in members.items()
                if not (self.incoming and each.has_default)
            ]
            if required:
                found["required"] = required
            if self.incoming:
                found["additionalProperties"] = False
            self.schemas[name] = found
        return {"$ref": self._prefix + name}


def name_of(kind: type) -> str:
    """Return what a class is called in descriptions."""
    return _NAMES.get(f"{kind.__module__}.{kind.__qualname__}", kind.__name__.lstrip("_"))


def about(kind: Any) -> str:
    """Return the docstring of a class or function as Markdown: literals have one sign each."""
    text = (kind.__doc__ or "").strip()
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(lines).replace("``", "`")
