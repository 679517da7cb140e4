"""Played notes as MIDI and as tables."""

from __future__ import annotations

import io

import mido
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hfmusic.symbolic.instruments import PROGRAMS, compass_of, program_of
from hfmusic.symbolic.performance import (
    Beats,
    PerformedNote,
    read_notes_csv,
    read_performance,
    untangled,
    write_notes_csv,
    write_performance,
)

NOTE = st.builds(
    lambda onset, length, pitch, velocity: PerformedNote(onset, onset + length, pitch, velocity),
    st.floats(0, 100),
    st.floats(0.01, 20),
    st.integers(0, 127),
    st.integers(1, 127),
)


def assert_same_notes(found: list[PerformedNote], wanted: list[PerformedNote], within: float = 1e-3) -> None:
    by = lambda note: (note.pitch_midi, note.onset_seconds)  # noqa: E731
    assert [note[2:] for note in sorted(found, key=by)] == [note[2:] for note in sorted(wanted, key=by)]
    for one, other in zip(sorted(found, key=by), sorted(wanted, key=by), strict=True):
        assert one[:2] == pytest.approx(other[:2], abs=within)


@settings(max_examples=40, deadline=None)
@given(st.lists(NOTE, max_size=20), st.sampled_from([30.0, 120.0, 333.3]))
def test_midi_keeps_times_to_a_millisecond(notes: list[PerformedNote], tempo: float) -> None:
    wanted = [note for note in untangled(notes) if note.offset_seconds - note.onset_seconds > 2e-3]
    assert_same_notes(read_performance(write_performance(wanted, tempo=tempo)), wanted, 2 * 60 / tempo / 960)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(NOTE, max_size=20),
    st.lists(st.floats(0.2, 1.5), min_size=2, max_size=60),
    st.floats(-1, 5),
    st.integers(0, 3),
)
def test_a_tempo_map_moves_no_note(notes: list[PerformedNote], lengths: list[float], first: float, upbeat: int) -> None:
    beats = Beats(tuple((first + np.cumsum([0, *lengths])).tolist()), 4, upbeat)
    wanted = [note for note in untangled(notes) if note.offset_seconds - note.onset_seconds > 5e-3]
    assert_same_notes(read_performance(write_performance(wanted, beats=beats)), wanted, 3e-3)


def test_beats_become_quarters_and_measures() -> None:
    beats = Beats((0.4, 1.0, 1.5, 2.1, 2.7), meter=3, upbeat=1)
    notes = [PerformedNote(time, time + 0.2, 60, 90) for time in beats.times]
    file = mido.MidiFile(file=io.BytesIO(write_performance(notes, beats=beats, program=24)))
    ticks, now = [], 0
    for message in file.tracks[1]:
        now += message.time
        if message.type == "note_on" and message.velocity:
            ticks.append(now)
    assert [tick % 960 for tick in ticks] == [0] * 5
    assert np.diff(ticks).tolist() == [960] * 4
    assert ticks[1] % (3 * 960) == 0  # the second beat begins a measure
    (meter,) = [one for one in file.tracks[0] if one.type == "time_signature"]
    assert (meter.numerator, meter.denominator) == (3, 4)
    assert next(one.program for one in file.tracks[1] if one.type == "program_change") == 24


def test_one_tempo_and_the_length_of_the_recording() -> None:
    data = write_performance([PerformedNote(1, 2, 60)], tempo=90, end_seconds=7)
    file = mido.MidiFile(file=io.BytesIO(data))
    assert [mido.tempo2bpm(one.tempo) for one in file.tracks[0] if one.type == "set_tempo"] == [pytest.approx(90)]
    assert file.length == pytest.approx(7, abs=0.01)
    assert mido.MidiFile(file=io.BytesIO(write_performance([]))).length == 0


def test_a_part_of_a_recording_begins_at_once() -> None:
    data = write_performance([PerformedNote(61, 62, 60)], start_seconds=60, end_seconds=65)
    assert_same_notes(read_performance(data), [PerformedNote(1, 2, 60)])


def test_keys_are_released_before_they_are_struck_again() -> None:
    notes = [PerformedNote(0, 5, 60, 40), PerformedNote(1, 2, 60, 80), PerformedNote(1, 1.5, 60, 30)]
    assert untangled(notes) == [PerformedNote(0, 1, 60, 40), PerformedNote(1, 2, 60, 80)]
    assert_same_notes(read_performance(write_performance(notes)), untangled(notes))


@pytest.mark.parametrize("note", [PerformedNote(0, 1, 128), PerformedNote(0, 1, 60, 0), PerformedNote(0, 1, -1)])
def test_what_midi_has_not(note: PerformedNote) -> None:
    with pytest.raises(ValueError, match="MIDI has pitches 0 to 127 and velocities 1 to 127"):
        write_performance([note])


def test_wrong_options() -> None:
    with pytest.raises(ValueError, match="program is 0 to 127, got 128"):
        write_performance([], program=128)
    with pytest.raises(ValueError, match="tempo must be at least 4"):
        write_performance([], tempo=0)
    for times in ((), (1.0,), (1.0, 1.0)):
        with pytest.raises(ValueError, match="beats need two increasing times"):
            Beats(times)


@given(st.lists(NOTE, max_size=10))
def test_a_table_round_trips(notes: list[PerformedNote]) -> None:
    assert_same_notes(read_notes_csv(write_notes_csv(notes)), notes, 1e-4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "velocity is missing"),
        ("onset_seconds,offset_seconds,pitch_midi\n", "velocity is missing"),
        ("onset_seconds,offset_seconds,pitch_midi,velocity\n1,2,high,3\n", "line 2 of a table"),
        ("onset_seconds,offset_seconds,pitch_midi,velocity\n1,2\n", "line 2 of a table"),
    ],
)
def test_wrong_tables(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_notes_csv(text)


def test_instruments() -> None:
    assert len(PROGRAMS) == 128
    assert [program_of(name) for name in ("piano", "Guitar", "violin", 40, "nylon", "church organ")] == [
        0, 24, 40, 40, 24, 19,
    ]  # fmt: skip
    assert all(program_of(name) == number for number, name in enumerate(PROGRAMS) if name != "acoustic bass")
    assert compass_of(25) == (40, 88)
    for wrong in ("", "kazoo", "128", -1, "1.5"):
        with pytest.raises(ValueError, match="no instrument"):
            program_of(wrong)
