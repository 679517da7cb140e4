"""What a rehearsal Hub keeps on disk: contents by their hash, commits, branches and tags.

ROOT/objects/ab/abcd...            contents by SHA-256, of all repositories
ROOT/KIND/OWNER/NAME/repo.json     visibility and references, rewritten whole at each change
ROOT/KIND/OWNER/NAME/commits/ID    a commit: its parent, and every file of the repository with its hash

A commit is there when repo.json names it, and repo.json is renamed into place: whoever is killed leaves the old state.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import re
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hfmusic.files import write_atomic

KINDS = ("models", "datasets", "spaces")
MAIN = "refs/heads/main"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
_MARK = "local_hub.json"


class HubError(Exception):
    """A request that is refused: HTTP status, what to say, and the Hub's code for it (RepoNotFound ...)."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Change:
    """What a commit does: files to set, {path: {sha256, size, blob, lfs}}, and paths or folders/ to delete."""

    title: str
    message: str = ""
    parent: str | None = None
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    deleted: tuple[str, ...] = ()


class HubStore:
    """The repositories under a folder.

    Raises:
        ValueError: the folder holds something else, or another server has it; one sentence.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).resolve()
        mark = self.root / _MARK
        if self.root.is_dir() and any(self.root.iterdir()) and not mark.is_file():
            raise ValueError(f"{root}: not empty and no hub of hfmusic: choose another folder")
        if not mark.is_file():
            write_atomic(mark, json.dumps({"note": "a rehearsal Hub of hfmusic, for tests", "format": 1}) + "\n")
        self._only = open(mark)  # noqa: SIM115  (held for as long as the store)
        try:
            fcntl.flock(self._only, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._only.close()
            raise ValueError(f"{root}: another server has this hub") from None
        (self.root / "objects").mkdir(exist_ok=True)
        self._locks: dict[Path, threading.RLock] = {}
        self._guard = threading.Lock()

    def close(self) -> None:
        self._only.close()

    def object_path(self, sha256: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise HubError(400, f"not a SHA-256: {sha256!r}")
        return self.root / "objects" / sha256[:2] / sha256

    def has_object(self, sha256: str, size: int) -> bool:
        path = self.object_path(sha256)
        return path.is_file() and path.stat().st_size == size

    def add_object(self, pieces: Iterable[bytes], sha256: str | None = None) -> dict[str, Any]:
        """Store a content; with `sha256` it must be of that hash. Returns its {sha256, size}."""
        with tempfile.NamedTemporaryFile(dir=self.root / "objects", prefix=".new-", delete=False) as file:
            temporary, digest, size = Path(file.name), hashlib.sha256(), 0
            try:
                for piece in pieces:
                    file.write(piece)
                    digest.update(piece)
                    size += len(piece)
                file.close()
                found = digest.hexdigest()
                if sha256 not in (None, found):
                    raise HubError(400, f"the content's SHA-256 is {found}, not {sha256}")
                path = self.object_path(found)
                path.parent.mkdir(exist_ok=True)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        return {"sha256": found, "size": size}

    def create(self, kind: str, owner: str, name: str, *, private: bool, sdk: str | None) -> None:
        """A new repository with one empty commit.

        Raises:
            HubError: 409, it is there.
        """
        folder = self._folder(kind, owner, name)
        with self._lock(folder):
            if (folder / "repo.json").is_file():
                raise HubError(409, f"You already created this {kind[:-1]} repo: {owner}/{name}")
            oid = self._write_commit(folder, None, Change("initial commit"), {})
            now = _now()
            self._write(folder, {"private": private, "sdk": sdk, "createdAt": now, "refs": {MAIN: oid}, "pulls": 0})

    def delete(self, kind: str, owner: str, name: str) -> None:
        folder = self._folder(kind, owner, name)
        with self._lock(folder):
            self.repository(kind, owner, name)
            (folder / "repo.json").unlink()  # from here on it is gone, also if the rest is left
            shutil.rmtree(folder, ignore_errors=True)

    def names(self, kind: str) -> list[tuple[str, str]]:
        """Owner and name of every repository of a kind."""
        return sorted((path.parts[-3], path.parts[-2]) for path in (self.root / kind).glob("*/*/repo.json"))

    def repository(self, kind: str, owner: str, name: str) -> dict[str, Any]:
        """repo.json: private, sdk, createdAt, refs.

        Raises:
            HubError: 404.
        """
        with contextlib.suppress(FileNotFoundError):
            return dict(json.loads((self._folder(kind, owner, name) / "repo.json").read_text(encoding="utf-8")))
        raise HubError(404, f"Repository {owner}/{name} not found", "RepoNotFound")

    def configure(self, kind: str, owner: str, name: str, *, private: bool) -> None:
        folder = self._folder(kind, owner, name)
        with self._lock(folder):
            self._write(folder, self.repository(kind, owner, name) | {"private": private})

    def commit_at(self, kind: str, owner: str, name: str, revision: str) -> dict[str, Any]:
        """The commit that a branch, tag, `refs/...` or commit id names.

        Raises:
            HubError: 404, there is none.
        """
        refs = self.repository(kind, owner, name)["refs"]
        named = (revision, f"refs/heads/{revision}", f"refs/tags/{revision}")
        oid = next((refs[ref] for ref in named if ref in refs), revision)
        path = self._folder(kind, owner, name) / "commits" / oid
        if re.fullmatch(r"[0-9a-f]{40}", oid) and path.is_file():
            return dict(json.loads(path.read_text(encoding="utf-8")))
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def history(self, kind: str, owner: str, name: str, revision: str) -> Iterator[dict[str, Any]]:
        """Commits from the one that `revision` names to the first."""
        commit = self.commit_at(kind, owner, name, revision)
        yield commit
        while commit["parent"]:
            commit = self.commit_at(kind, owner, name, commit["parent"])
            yield commit

    def commit(
        self, kind: str, owner: str, name: str, revision: str, change: Change, *, pull: bool = False
    ) -> tuple[str, int]:
        """Change a branch, or with `pull` a new pull request from it. Returns the commit's id and the request's number.

        Raises:
            HubError: 412 when `change.parent` is no longer the branch's last; 404; 400 for a file that is not there.
        """
        folder = self._folder(kind, owner, name)
        with self._lock(folder):
            repository, head = self.repository(kind, owner, name), self.commit_at(kind, owner, name, revision)
            if change.parent is not None and change.parent != head["oid"] and not pull:
                raise HubError(412, "A commit has happened since. Please refresh and try again.")
            missing = [name for name, file in change.files.items() if not self.object_path(file["sha256"]).is_file()]
            if missing:
                raise HubError(400, f"the content of {missing[0]} was not uploaded")
            oid = self._write_commit(folder, head["oid"], change, _changed(head["files"], change))
            reference = revision if revision in repository["refs"] else f"refs/heads/{revision}"
            if pull:
                repository["pulls"] += 1
                reference = f"refs/pr/{repository['pulls']}"
            elif reference not in repository["refs"]:
                raise HubError(400, f"{revision} is not a branch")
            repository["refs"][reference] = oid
            self._write(folder, repository)
            return oid, int(repository["pulls"])

    def set_reference(self, kind: str, owner: str, name: str, reference: str, revision: str | None) -> None:
        """Make a branch or tag (`refs/heads/...`, `refs/tags/...`) at a revision; None takes it away.

        Raises:
            HubError: 409 it is there; 404 it, or the revision, is not; 400 not a name, or the main branch.
        """
        folder = self._folder(kind, owner, name)
        with self._lock(folder):
            repository = self.repository(kind, owner, name)
            if not _REFERENCE.fullmatch(reference) or ".." in reference or (reference == MAIN and revision is None):
                raise HubError(400, f"not a name for this: {reference}")
            if revision is None:
                if repository["refs"].pop(reference, None) is None:
                    raise HubError(404, f"{reference} not found", "RevisionNotFound")
            elif reference in repository["refs"]:
                raise HubError(409, f"{reference} already exists")
            else:
                repository["refs"][reference] = self.commit_at(kind, owner, name, revision)["oid"]
            self._write(folder, repository)

    def _folder(self, kind: str, owner: str, name: str) -> Path:
        if kind not in KINDS or any(not _NAME.fullmatch(part) or ".." in part for part in (owner, name)):
            raise HubError(404, f"Repository {owner}/{name} not found", "RepoNotFound")
        return self.root / kind / owner / name

    def _lock(self, folder: Path) -> threading.RLock:
        with self._guard:
            return self._locks.setdefault(folder, threading.RLock())

    def _write(self, folder: Path, repository: dict[str, Any]) -> None:
        write_atomic(folder / "repo.json", json.dumps(repository, indent=1) + "\n")

    def _write_commit(self, folder: Path, parent: str | None, change: Change, files: dict[str, Any]) -> str:
        commit = {"parent": parent, "title": change.title, "message": change.message, "date": _now(), "files": files}
        oid = hashlib.sha1(json.dumps([str(folder), commit], sort_keys=True).encode()).hexdigest()
        write_atomic(folder / "commits" / oid, json.dumps({"oid": oid} | commit) + "\n")
        return oid


def check_path(path: str) -> str:
    """A file's path inside a repository.

    Raises:
        HubError: it leaves the repository, or is none.

    >>> check_path("data/train-0.parquet")
    'data/train-0.parquet'
    """
    parts = path.split("/")
    if "\\" in path or "\0" in path or any(part in ("", ".", "..", ".git") for part in parts) or len(path) > 500:
        raise HubError(400, f"not a path inside a repository: {path!r}")
    return path


def _changed(files: dict[str, Any], change: Change) -> dict[str, Any]:
    kept = {
        path: file
        for path, file in files.items()
        if not any(path.startswith(gone) if gone.endswith("/") else path == gone for gone in change.deleted)
    }
    return dict(sorted((kept | change.files).items()))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
