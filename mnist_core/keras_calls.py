"""What Keras is asked to build, as plain data.

One description, two readers: models.py builds what it says, script.py writes it down as a program.
So the exported script cannot drift from what was trained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    """A call of something in Keras: Call("layers.Dense", {"units": 10}) is keras.layers.Dense(10).

    Arguments are plain values or calls.
    """

    path: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def source(self, module: str = "keras") -> str:
        """Return the call as Python text: 'keras.layers.Dense(units=10)'."""
        arguments = (
            f"{name}={value.source(module) if isinstance(value, Call) else repr(value)}"
            for name, value in self.arguments.items()
        )
        return f"{module}.{self.path}({', '.join(arguments)})"

    def build(self, module: Any) -> Any:
        """Make the call; `module` is keras."""
        target = module
        for name in self.path.split("."):
            target = getattr(target, name)
        return target(
            **{
                name: value.build(module) if isinstance(value, Call) else value
                for name, value in self.arguments.items()
            }
        )
