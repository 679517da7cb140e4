from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from hfmusic.symbolic.midi import note_events
from hfmusic.symbolic.pianoroll import read_pianoroll, write_pianoroll
from hfmusic.symbolic.score import NotationError
from hfmusic.symbolic.semantic import read_semantic
from tests.symbolic.strategies import scores


@given(scores())
def test_round_trip(score):
    roll = write_pianoroll(score)
    assert (roll.dtype, roll.shape) == (np.uint8, (128, score.quarters * 24))
    back = read_pianoroll(roll)
    assert note_events(back) == note_events(score)
    assert np.array_equal(write_pianoroll(back), roll)


@given(scores(multirests=False))
def test_one_pitch_sounds_at_a_time(score):
    roll = write_pianoroll(score, 8)
    assert (roll > 0).sum(axis=0).max(initial=0) <= 1
    assert (roll == 2).sum() == len(note_events(score))


def test_a_plain_roll_reads_too():
    roll = write_pianoroll(read_semantic("rest-quarter note-C4_quarter note-D4_half rest-half"))
    plain = (roll > 0).astype(bool)
    assert note_events(read_pianoroll(plain.astype(np.uint8))) == note_events(read_pianoroll(roll))


def test_short_notes_take_one_tick():
    roll = write_pianoroll(read_semantic("note-C4_hundred_twenty_eighth note-D4_quarter"), 4)
    assert roll[60, 0] == 2
    assert roll.shape == (128, 4)


def test_what_is_no_roll_of_one_voice():
    with pytest.raises(ValueError, match=r"shape \(128, T\) wanted, got \(88, 4\)"):
        read_pianoroll(np.zeros((88, 4)))
    with pytest.raises(ValueError, match="holds 0, 1 and 2, got 0 to 64"):
        read_pianoroll(np.full((128, 1), 64) * (np.arange(128)[:, None] == 60))
    chord = np.zeros((128, 24), np.uint8)
    chord[[60, 64]] = 1
    with pytest.raises(NotationError, match="chord"):
        read_pianoroll(chord)
    with pytest.raises(ValueError, match="1 or more, got 0"):
        write_pianoroll(read_semantic("note-C4_half"), 0)
