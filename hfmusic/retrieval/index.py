"""An index of score snippets: their vectors, and which piece, page and measure each is of."""

from __future__ import annotations

import hashlib
import io
import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hfmusic.files import write_atomic

from .neighbours import EXACT_UP_TO, Found, InvertedFile, exact
from .store import MANIFEST, ROWS, only_writer, read_generation, write_generation

# Where a snippet is: x in pixels of the page, row_x of the unrolled row; id is its own for good.
PLACE = np.dtype(
    [
        *(("id", np.int64), ("piece", np.int32), ("page", np.int16), ("system", np.int16)),
        *(("x", np.float32), ("row_x", np.float32), ("quarter", np.float32)),
    ]
)
_REBUILT_BEYOND = 4  # times as many vectors as the cells were computed of


@dataclass(frozen=True)
class Piece:
    """A piece in an index.

    Attributes:
        name: what it is called: the score's file, below the folder that was indexed.
        file: where the score was.
        measures: (number, quarter at which it begins) each, ascending.
        row: the picture of its unrolled row (a file in the index), "" if none was kept.
    """

    name: str
    title: str = ""
    composer: str = ""
    file: str = ""
    measures: tuple[tuple[str, float], ...] = ()
    row: str = ""

    def measure_at(self, quarter: float) -> str:
        """The number of the measure in which a quarter is; "" where the score has no measures."""
        place = bisect_right([begin for _, begin in self.measures], quarter + 1e-3) - 1
        return self.measures[max(place, 0)][0] if self.measures else ""


@dataclass(frozen=True)
class NewPiece:
    """A piece to be added.

    Attributes:
        vectors: float (n, d) of length 1.
        places: (n,) of dtype `PLACE`; `id` and `piece` are filled in.
        row: PNG of the unrolled row, b"" for none.
    """

    piece: Piece
    vectors: np.ndarray
    places: np.ndarray
    row: bytes = b""


class SnippetIndex:
    """An index as its folder holds it. Changes are made by `change_index`.

    Attributes:
        model, fingerprint: the model that made the vectors, and what tells it from others.
        pieces: in the order in which they were added.
        vectors: float16 (n, d). places: (n,) of dtype `PLACE`, ids ascending.
    """

    def __init__(
        self,
        folder: Path,
        about: dict[str, Any],
        pieces: tuple[Piece, ...],
        vectors: np.ndarray,
        places: np.ndarray,
        inverted: InvertedFile | None = None,
    ) -> None:
        self.folder, self.about, self.pieces = folder, about, pieces
        self.vectors, self.places, self.inverted = vectors, places, inverted
        self._exact: np.ndarray | None = None

    @property
    def model(self) -> str:
        return str(self.about["model"])

    @property
    def fingerprint(self) -> str:
        return str(self.about["fingerprint"])

    def __len__(self) -> int:
        return len(self.vectors)

    @classmethod
    def open(cls, folder: str | Path) -> SnippetIndex:
        """The index in a folder.

        Raises:
            ValueError: no index there, a damaged one, or one of a later version; one sentence.
        """
        folder = Path(folder)
        manifest, paths = read_generation(folder)
        try:
            vectors = np.load(paths["vectors.npy"], mmap_mode="r", allow_pickle=False)
            places = np.load(paths["places.npy"], allow_pickle=False)
            listed = json.loads(paths["pieces.json"].read_text(encoding="utf-8"))
            pieces = tuple(Piece(**{**one, "measures": tuple(map(tuple, one["measures"]))}) for one in listed)
            about = {name: manifest[name] for name in ("model", "fingerprint", "cells", "trained", "next_id")}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{folder}: a damaged index ({error})") from None
        if places.dtype != PLACE or vectors.ndim != 2 or len(vectors) != len(places):
            raise ValueError(f"{folder}: a damaged index ({len(vectors)} vectors and {len(places)} places)")
        file = paths.get("cells.faiss")
        inverted = None if file is None else InvertedFile.read(file, int(about["cells"]))
        return cls(folder, about, pieces, vectors, places, inverted)

    def search(self, queries: np.ndarray, k: int = 25) -> Found:
        """The snippets nearest to queries (Q, d): cosines (Q, k), best first, and rows of `places`; -1: no more.

        Raises:
            ValueError: queries of another size.
        """
        if queries.ndim != 2 or queries.shape[1] != self.vectors.shape[1]:
            raise ValueError(
                f"the index holds vectors of {self.vectors.shape[1]}, got queries of shape {queries.shape}"
            )
        if self.inverted is not None:
            similarity, ids = self.inverted.search(queries, k)
            rows = np.searchsorted(self.places["id"], ids)
            return similarity, np.where(ids < 0, -1, rows)
        if self._exact is None:
            self._exact = np.asarray(self.vectors, np.float32)
        return exact(self._exact, queries, k)

    def row_picture(self, piece: Piece) -> np.ndarray | None:
        """The unrolled row of a piece, uint8 (H, W), or None if the index keeps no pictures."""
        from PIL import Image

        path = self.folder / ROWS / piece.row
        if not piece.row or not path.is_file():
            return None
        with Image.open(path) as picture:
            return np.array(picture.convert("L"))

    def size_bytes(self) -> int:
        """Of all files."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


def change_index(
    folder: str | Path,
    add: Iterable[NewPiece] = (),
    remove: Iterable[str] = (),
    *,
    model: str = "",
    fingerprint: str = "",
    anew: bool = False,
    exact_up_to: int = EXACT_UP_TO,
) -> SnippetIndex:
    """Add pieces to an index and take others out, in one step; make the index if there is none.

    A piece of a name that is there replaces it. What is added comes one at a time, so that it may be made meanwhile.

    Args:
        remove: names of pieces.
        anew: what the index holds is forgotten.
        model, fingerprint: of the model that made the vectors.

    Raises:
        ValueError: a damaged index, one of another model, a name that is not in it, or no pieces left; one sentence.
    """
    folder = Path(folder)
    with only_writer(folder):
        old = SnippetIndex.open(folder) if (folder / MANIFEST).exists() and not anew else None
        if old is not None and fingerprint and old.fingerprint != fingerprint:
            raise ValueError(
                f"{folder}: an index of the model {old.model} ({old.fingerprint}), not of {model} ({fingerprint})"
            )
        gone = list(remove)
        known = {piece.name for piece in old.pieces} if old else set()
        for name in gone:
            if name not in known:
                raise ValueError(f"{folder}: no piece {name!r} in this index of {len(known)}")
        new = {one.piece.name: _with_row(folder, one) for one in add}
        about = old.about if old else {"model": model, "fingerprint": fingerprint, "next_id": 0, "trained": 0}
        changed = _changed(old, new, {*gone, *new})
        _write(folder, dict(about), changed, old, exact_up_to)
        _sweep_rows(folder, {piece.row for piece in changed.pieces})
    return SnippetIndex.open(folder)


@dataclass(frozen=True)
class _Changed:
    """All that an index will hold; the new vectors are the last, and have no ids yet."""

    pieces: list[Piece]
    vectors: np.ndarray
    places: np.ndarray
    kept: int
    removed_ids: np.ndarray


def _changed(old: SnippetIndex | None, new: dict[str, NewPiece], gone: set[str]) -> _Changed:
    pieces = [piece for piece in old.pieces if piece.name not in gone] if old else []
    numbers = {piece.name: number for number, piece in enumerate(pieces)}
    vectors, places = [], []
    removed, kept = np.zeros(0, np.int64), 0
    if old is not None:
        renumbered = np.array([numbers.get(piece.name, -1) for piece in old.pieces], np.int32)
        own = np.array(old.places)
        stays = renumbered[own["piece"]] >= 0
        removed, kept = own["id"][~stays], int(stays.sum())
        own["piece"] = renumbered[own["piece"]]
        vectors.append(np.asarray(old.vectors)[stays])
        places.append(own[stays])
    for one in new.values():
        if not len(one.vectors) or len(one.vectors) != len(one.places):
            raise ValueError(f"{one.piece.name}: {len(one.vectors)} vectors for {len(one.places)} snippets")
        own = np.array(one.places)
        own["piece"] = len(pieces)
        pieces.append(one.piece)
        vectors.append(np.asarray(one.vectors, np.float16))
        places.append(own)
    if not pieces:
        raise ValueError("an index must hold one piece at least")
    return _Changed(pieces, np.concatenate(vectors), np.concatenate(places), kept, removed)


def _write(folder: Path, about: dict[str, Any], changed: _Changed, old: SnippetIndex | None, exact_up_to: int) -> None:
    places, added = changed.places, len(changed.places) - changed.kept
    places["id"][changed.kept :] = np.arange(about["next_id"], about["next_id"] + added)
    about["next_id"] += added
    files: dict[str, bytes | Path] = {
        "vectors.npy": _npy(changed.vectors),
        "places.npy": _npy(places),
        "pieces.json": json.dumps([asdict(piece) for piece in changed.pieces], ensure_ascii=False).encode(),
    }
    inverted = old.inverted if old else None
    if len(places) <= exact_up_to:
        inverted = None
    elif inverted is None or len(places) > _REBUILT_BEYOND * about["trained"]:
        inverted = InvertedFile.build(changed.vectors, places["id"])
        about["trained"] = len(places)
    else:
        inverted.remove(changed.removed_ids)
        inverted.add(changed.vectors[changed.kept :], places["id"][changed.kept :])
    if inverted is not None:
        files["cells.faiss"] = inverted.to_bytes()
    about["cells"] = 0 if inverted is None else inverted.cells
    about |= {"pieces": len(changed.pieces), "snippets": len(places)}
    write_generation(folder, about, files)


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def _with_row(folder: Path, one: NewPiece) -> NewPiece:
    """Its row's picture put into the index, under the name of its content."""
    if not one.row:
        return one
    name = f"{hashlib.sha256(one.row).hexdigest()[:24]}.png"
    write_atomic(folder / ROWS / name, one.row)
    return replace(one, piece=replace(one.piece, row=name), row=b"")


def _sweep_rows(folder: Path, kept: set[str]) -> None:
    for path in (folder / ROWS).glob("*"):
        if path.name not in kept:
            path.unlink(missing_ok=True)
