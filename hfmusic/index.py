"""VERB  scores or MIDI files -> an index that recordings and MIDI files are looked up in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
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
from hfmusic.scores import Played, is_midi, read_played, read_sheet, score_files

MIDI_STEP = 0.5  # seconds from one vector of a MIDI file to the next
NO_PAGE = -1
_GREYS = 16  # of the pictures that an index keeps: a third smaller than with all


def index(
    scores: Iterable[str | Path] = (),
    *,
    out: str | Path,
    model: str | Embedder | None = None,
    add: bool = False,
    remove: Iterable[str] = (),
    pictures: bool = True,
    midi: Callable[[str, str, Played, Any], NewPiece] | None = None,
) -> dict[str, Any]:
    """Make an index of scores, or change one. It is replaced in one step: a kill leaves the old one.

    Args:
        scores: files (.mxl, .musicxml, .xml, .mei, .krn, .abc, and .mid), or folders of them; of a folder with scores
            its MIDI files are left out.
        out: the index's folder. What it held is replaced, unless `add` or `remove` is given.
        model: what makes vectors: a name that `hfmusic.load` takes, "chroma", or None: that of an index that is
            changed, else chroma. MIDI only chroma and models of piano rolls take.
        add: scores are added to what is there; one of a name that is there replaces it.
        remove: names of pieces to take out.
        pictures: also keep the systems' pictures, which `find` shows matches on.
        midi: what makes a piece of a MIDI file, as `midi_piece`, which it is by default.

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
    pieces = _pieces(files, own, pictures, midi or midi_piece, failed)
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


def _pieces(
    files: dict[str, Path], own: Embedder, pictures: bool, midi: Callable[..., NewPiece], failed: list[tuple[str, str]]
) -> Iterator[NewPiece]:
    for name, path in tqdm(files.items(), unit="score", desc="indexing", leave=False, disable=None):
        try:
            if is_midi(path):
                yield midi(name, str(path), read_played(path), own)
            else:
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
    piece = Piece(name, sheet.title, sheet.composer, file, tuple(time.measures))
    return _heard(NewPiece(piece, vectors, places, _picture(row.image) if pictures else b""))


def midi_piece(name: str, file: str, music: Played, own: Embedder) -> NewPiece:
    """A MIDI file as an index holds it: a vector every half second, and no page.

    Raises:
        ValueError: the embedder reads only pictures.
    """
    moments = np.arange(0, music.seconds, MIDI_STEP)
    places = np.zeros(len(moments), PLACE)
    places["page"] = NO_PAGE
    places["quarter"] = music.beats.quarters_at(moments)
    piece = Piece(name, file=file, measures=music.beats.measures)
    return _heard(NewPiece(piece, own.notes(music, moments), places))


def _heard(one: NewPiece) -> NewPiece:
    """Without what is silent all around: it has no vector."""
    known = np.linalg.norm(one.vectors, axis=1) > 0.5
    return replace(one, vectors=one.vectors[known], places=one.places[known])


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
