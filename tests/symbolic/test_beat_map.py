"""Beats of MIDI files: tempo events, meters, and what is missing or wrong."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest

from hfmusic.symbolic.beat_map import read_beat_map
from hfmusic.symbolic.performance import Beats, PerformedNote, write_performance


def midi(*messages: mido.MetaMessage, end: int = 3840) -> bytes:
    """A file of 480 ticks a quarter, messages at their own ticks."""
    track, now = mido.MidiTrack(), 0
    for message in messages:
        track.append(message.copy(time=message.time - now))
        now = message.time
    track.append(mido.MetaMessage("end_of_track", time=end - now))
    data = io.BytesIO()
    mido.MidiFile(ticks_per_beat=480, tracks=[track]).save(file=data)
    return data.getvalue()


def test_tempo_and_meter_by_hand() -> None:
    changes = (
        mido.MetaMessage("time_signature", numerator=3, denominator=4, time=0),
        mido.MetaMessage("set_tempo", tempo=1_000_000, time=960),
        mido.MetaMessage("time_signature", numerator=6, denominator=8, time=1440),
    )
    beats = read_beat_map(midi(*changes))
    assert beats.seconds_at(np.array([0, 1, 2, 3, 100])).tolist() == [0, 0.5, 1, 2, 99]
    assert beats.quarters_at(np.array([0.25, 1.5, 2])).tolist() == [0.5, 2.5, 3]
    assert beats.measures == (("1", 0.0), ("2", 3.0), ("3", 6.0))


def test_without_signs_and_damaged() -> None:
    beats = read_beat_map(midi())
    assert beats.measures == (("1", 0.0), ("2", 4.0)) and float(beats.seconds_at(7)) == 3.5
    halted = read_beat_map(midi(mido.MetaMessage("set_tempo", tempo=0, time=480)))
    assert np.diff(halted.seconds).min() > 0
    with pytest.raises(ValueError, match="not a standard MIDI file"):
        read_beat_map(b"nothing")


def test_beats_that_were_written_are_read() -> None:
    times = np.cumsum(np.random.default_rng(0).uniform(0.3, 0.9, 20))
    data = write_performance([PerformedNote(1.0, 12.0, 60)], beats=Beats(tuple(times.tolist()), meter=4, upbeat=1))
    beats = read_beat_map(data)
    before = round(float(beats.quarters_at(times[0])))
    assert beats.seconds_at(before + np.arange(20)) == pytest.approx(times, abs=1e-4)
    assert before % 4 == 3 and beats.measures[1] == ("2", 4.0)
