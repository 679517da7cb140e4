"""An index's folder: data files under names of their own, and `index.json`, which says which of them hold.

`index.json` is replaced in one step after the files that it names are whole on disk: whoever opens the folder finds the
old index or the new one, also after a kill in between. Files that it does not name are swept with the next change.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hfmusic.files import write_atomic

if sys.platform != "win32":
    import fcntl

MANIFEST = "index.json"
FORMAT = 1
ROWS = "rows"  # folder of pictures, by the names of their content
_LOCK = ".lock"
_PREFIX = "data-"  # of every data file


def write_generation(folder: Path, manifest: Mapping[str, Any], files: Mapping[str, bytes | Path]) -> None:
    """Writes data files and then the manifest that names them.

    Args:
        manifest: what else it says.
        files: what a file is called in the manifest -> its content; or the name, in the folder, of one that is kept.

    Raises:
        ValueError: the folder cannot be written; one sentence.
    """
    named = {}
    for key, content in files.items():
        if isinstance(content, Path):
            named[key] = _entry(folder / content.name)
            continue
        path = write_atomic(folder / f"{_PREFIX}{uuid.uuid4().hex[:12]}{Path(key).suffix}", content)
        _to_disk(path)
        named[key] = {"file": path.name, "bytes": len(content), "crc32": zlib.crc32(content)}
    text = json.dumps({"format": FORMAT, **manifest, "files": named}, ensure_ascii=False, indent=1)
    _to_disk(folder)
    write_atomic(folder / MANIFEST, text + "\n")
    _sweep(folder, {entry["file"] for entry in named.values()})


def _entry(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"file": path.name, "bytes": len(content), "crc32": zlib.crc32(content)}


def _to_disk(path: Path) -> None:
    """Waits until the disk has it."""
    with suppress(PermissionError):  # Windows opens no folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _sweep(folder: Path, kept: set[str]) -> None:
    for path in folder.iterdir():
        if path.name.startswith((_PREFIX, f".{_PREFIX}", f".{MANIFEST}.")) and path.name not in kept:
            with suppress(OSError):
                path.unlink()


def read_generation(folder: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """The manifest, and where the files that it names are; each is as long and has the checksum that it says.

    Raises:
        ValueError: no index, one of a later version, or a damaged one; one sentence that names the folder.
    """
    manifest = _manifest(folder)
    for _ in range(3):
        try:
            return manifest, _checked(folder, manifest)
        except FileNotFoundError as error:
            again = _manifest(folder)  # it may have been replaced since it was read, and its files swept
            if again == manifest:
                raise ValueError(
                    f"{folder}: a damaged index, its file {Path(error.filename).name} is missing; index the scores anew"
                ) from None
            manifest = again
    raise ValueError(f"{folder}: the index is being changed again and again")


def _manifest(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        what = "a file, not an index" if folder.exists() else "no such index"
        raise ValueError(f"{folder}: {what}; make one with `hfmusic index SCORES --out {folder.name}`")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        known = manifest["format"]
    except FileNotFoundError:
        raise ValueError(f"{folder}: not an index (it has no {MANIFEST}), or one whose making was stopped") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder}: a damaged index, its {MANIFEST} cannot be read ({type(error).__name__})") from None
    if known != FORMAT:
        raise ValueError(f"{folder}: an index of format {known}, this hfmusic reads format {FORMAT}")
    return dict(manifest)


def _checked(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Path]:
    paths = {}
    try:
        entries = {key: (Path(one["file"]).name, one["bytes"], one["crc32"]) for key, one in manifest["files"].items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError(f"{folder}: a damaged index, its {MANIFEST} names no files") from None
    for key, (name, size, checksum) in entries.items():
        paths[key] = folder / name
        if paths[key].stat().st_size != size or _crc32(paths[key]) != checksum:
            raise ValueError(
                f"{folder}: a damaged index, its file {name} is not what was written; index the scores anew"
            )
    return paths


def _crc32(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            value = zlib.crc32(block, value)
    return value


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Holds the folder for changes; it is made if it is not there.

    Raises:
        ValueError: another process is changing the index, or there is a file or a folder of other things; one sentence.
    """
    if folder.is_file() or (folder.is_dir() and not (folder / MANIFEST).exists() and not _is_ours(folder)):
        raise ValueError(f"{folder}: it is there and is no index; give another name")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise ValueError(f"{folder}: cannot be written ({error.strerror})") from None
    try:
        try:
            if sys.platform != "win32":
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"{folder}: another process is changing this index") from None
        yield
    finally:
        os.close(handle)


def _is_ours(folder: Path) -> bool:
    """Whether a folder without a manifest is empty, or the remains of an index whose making was stopped."""
    own = {_LOCK, ROWS}
    return all(path.name in own or path.name.lstrip(".").startswith((_PREFIX, MANIFEST)) for path in folder.iterdir())
