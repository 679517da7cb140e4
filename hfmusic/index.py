"""VERB  scores -> an index that recordings are looked up in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from hfmusic.embedding import Embedder, embedder, onset_places
from hfmusic.render.engrave import png_bytes
from hfmusic.render.sheet import Sheet
from hfmusic.retrieval.index import PLACE, NewPiece, Piece, SnippetIndex, change_index
from hfmusic.retrieval.score_time import ScoreTime
from hfmusic.retrieval.store import MANIFEST
from hfmusic.scores import read_sheet, score_files

_GREYS = 16  # of the pictures that an index keeps: a third smaller than with all


def index(
    scores: Iterable[str | Path] = (),
    *,
    out: str | Path,
    model: str | Embedder | None = None,
    add: bool = False,
    remove: Iterable[str] = (),
    pictures: bool = True,
) -> dict[str, Any]:
    """Make an index of scores, or change one. It is replaced in one step: a kill leaves the old one.

    Args:
        scores: files (.mxl, .musicxml, .xml, .mei, .krn, .abc), or folders of them.
        out: the index's folder. What it held is replaced, unless `add` or `remove` is given.
        model: what makes vectors: a name that `hfmusic.load` takes, "chroma", or None: that of an index that is
            changed, else the shipped model, else chroma.
        add: scores are added to what is there; one of a name that is there replaces it.
        remove: names of pieces to take out.
        pictures: also keep the systems' pictures, which `find` shows matches on.

    Returns:
        index, model, pieces, snippets, bytes, and what failed: [(file, why)] under "failed".

    Raises:
        ValueError: no score can be read, or the index is damaged or of another model; one sentence.
    """
    removed, files = list(remove), dict(score_files(scores))
    old = SnippetIndex.open(out) if add and (Path(out) / MANIFEST).exists() or removed else None
    if not files and not removed:
        raise ValueError("no scores to index, and no pieces to remove")
    failed: list[tuple[str, str]] = []
    if not files:
        changed = change_index(out, remove=removed)
        return _summary(changed, failed)
    own = embedder(model or (old.model if old else None)) if model is None or isinstance(model, str) else model
    pieces = _pieces(files, own, pictures, failed)
    first = next(pieces, None)
    if first is None:
        raise ValueError(f"none of {len(files)} scores can be indexed: {failed[0][1]}")
    changed = change_index(
        out, _chain(first, pieces), removed, model=own.name, fingerprint=own.fingerprint, anew=old is None and not add
    )
    return _summary(changed, failed)


def _chain(first: NewPiece, others: Iterator[NewPiece]) -> Iterator[NewPiece]:
    yield first
    yield from others


def _pieces(files: dict[str, Path], own: Embedder, pictures: bool, failed: list[tuple[str, str]]) -> Iterator[NewPiece]:
    for name, path in tqdm(files.items(), unit="score", desc="indexing", leave=False, disable=None):
        try:
            yield new_piece(name, str(path), read_sheet(path), own, pictures=pictures)
        except ValueError as error:
            failed.append((str(path), str(error)))


def new_piece(name: str, file: str, sheet: Sheet, own: Embedder, *, pictures: bool = True) -> NewPiece:
    """A sheet as an index holds it: a vector for each onset.

    Raises:
        ValueError: a sheet without notes.
    """
    time, row = ScoreTime(sheet), own.row(sheet)
    vectors = own.score(sheet, row, time)
    places = np.zeros(len(vectors), PLACE)
    places["page"] = [sheet.systems[system].page for system in time.systems]
    places["system"], places["x"], places["quarter"] = time.systems, time.xs, time.quarters
    places["row_x"] = onset_places(row, time)
    known = np.linalg.norm(vectors, axis=1) > 0.5  # what is silent all around has no vector
    piece = Piece(name, sheet.title, sheet.composer, file, tuple(time.measures))
    return NewPiece(piece, vectors[known], places[known], _picture(row.image) if pictures else b"")


def _picture(row: np.ndarray) -> bytes:
    step = 255 // (_GREYS - 1)
    return png_bytes((np.round(row / step) * step).astype(np.uint8))


def _summary(changed: SnippetIndex, failed: list[tuple[str, str]]) -> dict[str, Any]:
    return {
        "index": str(changed.folder),
        "model": changed.model,
        "pieces": len(changed.pieces),
        "snippets": len(changed),
        "bytes": changed.size_bytes(),
        "failed": failed,
    }
