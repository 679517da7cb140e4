"""VERB  MIDI files -> an index of the windows of their piano rolls, which recordings are transcribed by."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hfmusic.data.rolls import STEPS_PER_BEAT, RollGeometry, RollPiece, notes_on_grid, roll_numbers, windows
from hfmusic.hearing.roll_space import RollSpace, on_grid, roll_space
from hfmusic.index import index
from hfmusic.render.engrave import png_bytes
from hfmusic.retrieval.index import PLACE, NewPiece, Piece, SnippetIndex
from hfmusic.retrieval.roll_rows import roll_row
from hfmusic.retrieval.store import MANIFEST
from hfmusic.scores import Played, is_midi, score_files

HOP = 12  # steps from one window to the next, half a beat: recordings are asked at all steps between


def index_rolls(
    files: Iterable[str | Path] = (),
    *,
    out: str | Path,
    model: str | RollSpace | None = None,
    add: bool = False,
    remove: Iterable[str] = (),
    hop: int = HOP,
) -> dict[str, Any]:
    """Make an index of rolls, or change one, as `hfmusic.index.index` does of scores.

    Windows in which nothing sounds are left out, and those that an earlier one of the piece is like.

    Args:
        files: MIDI, or folders of it.
        model: what makes vectors: an `AudioScoreModel` of rolls by a name that `hfmusic.load` takes, "keys" (no model),
            or None: that of an index that is changed, else the shipped model, else "keys".
        hop: steps from one window to the next, 24 a beat.

    Returns:
        As `hfmusic.index.index`.

    Raises:
        ValueError: no MIDI can be read, or the index is damaged or of another model; one sentence.
    """
    if hop < 1:
        raise ValueError(f"hop must be at least one step, got {hop}")
    listed = list(files)
    for _, path in score_files(listed):
        if not is_midi(path):
            raise ValueError(f"{path}: rolls are indexed of MIDI files (.mid, .midi)")
    old = SnippetIndex.open(out) if add and (Path(out) / MANIFEST).exists() else None
    space = roll_space(model or (old.model if old else None)) if model is None or isinstance(model, str) else model
    return index(listed, out=out, model=space, add=add, remove=remove, midi=partial(roll_piece, hop=hop))  # type: ignore[arg-type]  # it has what `index` asks of an embedder


def roll_piece(name: str, file: str, music: Played, space: RollSpace, *, hop: int = HOP) -> NewPiece:
    """A MIDI file as an index holds it: a vector for each window, and its roll as the picture."""
    piece = played_on_grid(name, music)
    geometry = RollGeometry(space.steps // STEPS_PER_BEAT, hop_steps=hop)
    starts = windows(piece, geometry)
    _, firsts = np.unique(roll_numbers(piece, starts, geometry), return_index=True)
    starts = starts[np.sort(firsts)]
    vectors = space.rolls(piece, starts)
    known = np.linalg.norm(vectors, axis=1) > 0.5
    places = np.zeros(len(starts), PLACE)
    places["page"] = -1
    places["row_x"], places["quarter"] = starts, starts / STEPS_PER_BEAT
    steps = piece.notes[["onset_step", "offset_step", "pitch_midi", "velocity"]].tolist()
    told = Piece(name, file=file, measures=music.beats.measures)
    return NewPiece(told, vectors[known], places[known], png_bytes(roll_row(steps)))


def played_on_grid(name: str, music: Played) -> RollPiece:
    """The notes of a MIDI file on the grid of its own beats."""
    count = int(np.ceil(float(music.beats.quarters_at(music.seconds)) * STEPS_PER_BEAT)) + 1
    grid = music.beats.seconds_at(np.arange(count + 1) / STEPS_PER_BEAT)
    times = [(note.onset_seconds, note.offset_seconds) for note in music.notes]
    pitches, loud = ([getattr(note, what) for note in music.notes] for what in ("pitch_midi", "velocity"))
    return on_grid(grid, notes_on_grid(times, pitches, loud, grid), name)
