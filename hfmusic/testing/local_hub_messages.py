"""What a rehearsal Hub's routes take and give: requests, answers, and rows about files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from hfmusic.testing.local_hub_store import HubError


@dataclass
class Request:
    """A request, its path in quoted pieces. `pieces()` reads the body once; `body()` all of it."""

    method: str
    path: str
    query: dict[str, list[str]]
    base: str
    user: str | None
    pieces: Callable[[], Iterator[bytes]]
    content_type: str = ""

    def body(self) -> bytes:
        return b"".join(self.pieces())

    def fields(self) -> dict[str, Any]:
        """The body, JSON or a form.

        Raises:
            HubError: neither.
        """
        content = self.body()
        try:
            if "form-urlencoded" in self.content_type:
                return dict(parse_qs(content.decode("utf-8")))
            value = json.loads(content or b"{}")
        except ValueError:
            raise HubError(400, "the body is not JSON") from None
        if not isinstance(value, dict):
            raise HubError(400, "the body is not a JSON object")
        return value

    def flag(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in ("1", "true")


@dataclass
class Answer:
    """A status with JSON, bytes, or a file's content."""

    value: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    file: Path | None = None
    body: bytes | None = None


def writer(request: Request) -> None:
    """Raises HubError without the token: 401."""
    if request.user is None:
        raise HubError(401, "Invalid username or password.")


def prefix(kind: str) -> str:
    """What stands before owner/name in addresses."""
    return "" if kind == "models" else f"{kind}/"


def lfs_note(file: dict[str, Any]) -> dict[str, Any]:
    """The field `lfs` of a large file."""
    if not file["lfs"]:
        return {}
    return {"lfs": {"oid": file["sha256"], "sha256": file["sha256"], "size": file["size"], "pointerSize": 134}}


def file_row(path: str, commit: dict[str, Any]) -> dict[str, Any]:
    """A file as trees list it."""
    file = commit["files"][path]
    last = {"id": commit["oid"], "title": commit["title"], "date": commit["date"]}
    return {
        "type": "file",
        "path": path,
        "size": file["size"],
        "oid": file["blob"],
        "lastCommit": last,
        **lfs_note(file),
    }


def folder_row(path: str, commit: dict[str, Any]) -> dict[str, Any]:
    """A folder as trees list it."""
    last = {"id": commit["oid"], "title": commit["title"], "date": commit["date"]}
    oid = hashlib.sha1(path.encode()).hexdigest()
    return {"type": "directory", "path": path, "size": 0, "oid": oid, "lastCommit": last}
