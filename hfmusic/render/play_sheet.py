"""An engraved sheet as sound: every notehead that begins is played when the sheet says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from .sheet import Sheet, SheetNote
from .synthesize import Synthesizer

VELOCITY = 80
_SHORTEST_SECONDS = 0.03  # that a key is down: FluidSynth's blocks are 3 ms


def play_sheet(
    sheet: Sheet,
    synthesizer: Synthesizer,
    tempo_factor: float = 1.0,
    *,
    velocities: Sequence[int] | None = None,
    reverb: bool | None = None,
) -> np.ndarray:
    """The sound of a sheet, float32 (n,) in -1..1 at the synthesizer's rate; its first measure begins at 0 s.

    Args:
        tempo_factor: 1.1 is a tenth faster than the sheet's seconds say; the onsets that are then heard are those of
            `sheet.at_tempo(tempo_factor)`.
        velocities: 1 to 127, of each of the sheet's notes; None: all 80.
        reverb: see `Synthesizer.play`.

    Raises:
        ValueError: a tempo factor that is not above 0, or velocities of another number than the notes.
    """
    played = sheet.at_tempo(tempo_factor)
    if velocities is not None and len(velocities) != len(played.notes):
        raise ValueError(f"{len(played.notes)} notes need as many velocities, got {len(velocities)}")
    return synthesizer.play_notes(key_strokes(played.notes, velocities), reverb=reverb)


def key_strokes(
    notes: Sequence[SheetNote], velocities: Iterable[int] | None = None
) -> list[tuple[float, float, int, int]]:
    """(onset, offset, pitch, velocity) as one keyboard plays notes of many voices.

    Voices that begin on one key together strike it once, as long as the longest. A key that is struck again before its
    note has ended is let go first, and then stays down until both have ended.
    """
    loud = velocities if velocities is not None else [VELOCITY] * len(notes)
    keys: dict[int, list[list[float]]] = defaultdict(list)
    for note, velocity in sorted(zip(notes, loud, strict=True), key=lambda entry: entry[0].onset_seconds):
        strokes = keys[note.pitch_midi]
        end = max(note.offset_seconds, note.onset_seconds + _SHORTEST_SECONDS)
        if strokes and note.onset_seconds < strokes[-1][0] + _SHORTEST_SECONDS:
            strokes[-1][1:] = [max(strokes[-1][1], end), max(strokes[-1][2], velocity)]
            continue
        if strokes and note.onset_seconds < strokes[-1][1]:
            end, strokes[-1][1] = max(end, strokes[-1][1]), note.onset_seconds
        strokes.append([note.onset_seconds, end, velocity])
    return sorted(
        (onset, end, pitch, int(velocity)) for pitch, strokes in keys.items() for onset, end, velocity in strokes
    )
