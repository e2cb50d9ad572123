"""Files that are rewritten while others read them: a reader sees the old or the new, never half."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

# What reading a file of arrays or JSON raises, however it is damaged.
UNREADABLE = (OSError, ValueError, EOFError, KeyError, BadZipFile, zlib.error, NotImplementedError)


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a file to write; it takes the place of `path` at the end, unless an error comes."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(3)}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_json(path: Path, data: dict[str, Any]) -> None:
    """Write a JSON file."""
    with beside(path) as part:
        part.write_text(json.dumps(data))


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, or {} where the file is missing or is none."""
    with contextlib.suppress(OSError, ValueError):
        data = json.loads(path.read_text())
        if isinstance(data, dict):
            return data
    return {}


def write_arrays(path: Path, save: Any, *arrays: Any, **named: Any) -> None:
    """Write arrays by numpy.save, savez or savez_compressed."""
    with beside(path) as part, open(part, "wb") as file:
        save(file, *arrays, **named)
