"""Sheets as sound: keys are struck as one keyboard is, and heard when the sheet says, at any tempo."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.render.play_sheet import key_strokes, play_sheet
from hfmusic.render.sheet import Sheet, SheetNote, System
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer, shipped_font


def note(pitch: int, onset: float, offset: float, staff: int = 1) -> SheetNote:
    return SheetNote(0, 0, 10.0, 10.0, pitch, staff, onset * 2, onset, offset)


def test_voices_share_a_keyboard() -> None:
    """Together: one stroke, the longest; while it is down: let go, struck again, and down until both have ended."""
    notes = [note(60, 0, 1), note(60, 0, 2, 2), note(64, 0, 4), note(64, 1, 1.5), note(67, 3, 3)]
    assert key_strokes(notes, [50, 70, 80, 80, 80]) == [
        (0, 1, 64, 80),
        (0, 2, 60, 70),
        (1, 4, 64, 80),
        (3, pytest.approx(3.03), 67, 80),
    ]


@pytest.mark.parametrize("tempo", [1.0, 1.25])
def test_onsets_are_heard_when_the_sheet_says(tempo: float) -> None:
    onsets = [0.5, 1.5, 2.5]
    sheet = Sheet(
        (np.full((10, 835), 255, np.uint8),),
        (System(0, 0, 0, 835, 10),),
        tuple(note(60 + 4 * number, onset, onset + 0.4) for number, onset in enumerate(onsets)),
    )
    with Synthesizer(shipped_font()) as synthesizer:
        sound = play_sheet(sheet, synthesizer, tempo, reverb=False)
        with pytest.raises(ValueError, match="3 notes need as many velocities, got 1"):
            play_sheet(sheet, synthesizer, velocities=[80])
    level = np.abs(sound)
    for one in sheet.at_tempo(tempo).notes:
        start = round(one.onset_seconds * SAMPLING_RATE)
        assert level[start + 200 : start + 2000].max() > 10 * level[start - 1200 : start - 100].max()
