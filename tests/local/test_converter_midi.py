"""The staves of PrIMuS's own converter: its MEI and Plaine & Easie give the notes of its MIDI files.

Those MIDI files were made note by note, without a musician's reading, and the comparison is too: no key signature
and no accidental but the note's own is applied, ties are not merged, tuplets last what their figures say, and a rest of
n measures lasts one. `write_midi` plays what the score says. In both, grace notes are not heard.
"""

from __future__ import annotations

import io
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import mido
import pytest

from hfmusic.symbolic.mei import read_mei
from hfmusic.symbolic.midi import TICKS_PER_QUARTER, midi_note_events, sounding_notes, write_midi
from hfmusic.symbolic.pae import read_pae_text
from hfmusic.symbolic.score import MultiRest, NotationError, Note, Rest, Score

ONE_VOICE = {"000115025-1_1_2", "000138819-1_1_1", "000051650-1_1_1", "000051806-1_1_1", "000100970-2_1_1"}
CHORDS = {"000127873-1_1_1", "000127897-1_1_1", "000128968-22_1_1", "000133020-1_1_1", "000137949-1_1_1"}


@pytest.fixture(scope="module")
def samples(data_dir: Path) -> dict[str, Path]:
    files = sorted((data_dir / "primus" / "converter_samples").glob("*/*/*.mid"))
    assert {file.stem for file in files} == ONE_VOICE | CHORDS
    return {file.stem: file for file in files}


def read_both(midi: Path) -> tuple[Score, Score]:
    pae = (midi.parent / "verovio_pae.txt").read_text(encoding="utf-8")
    return read_mei(midi.with_suffix(".mei").read_text(encoding="utf-8")), read_pae_text(pae)


def as_played(score: Score) -> list[tuple[Fraction, Fraction, int]]:
    """Notes as the sample files have them: see the module's text."""
    elements = []
    for element, drawn in zip(score.elements, score.written_accidentals(), strict=True):
        if isinstance(element, Note):
            element = replace(element, pitch=replace(element.pitch, alter=drawn or 0), tie=False, tuplet=None)
        elif isinstance(element, Rest):
            element = replace(element, tuplet=None)
        elif isinstance(element, MultiRest):
            element = MultiRest(1)
        elements.append(element)
    return sounding_notes(Score(tuple(elements)))


@pytest.mark.parametrize("name", sorted(ONE_VOICE))
def test_notes_are_those_of_the_midi_file(samples, name):
    played = [(e.onset, e.offset, e.pitch_midi) for e in midi_note_events(samples[name].read_bytes())]
    for score in read_both(samples[name]):
        assert [(float(on), float(off), pitch) for on, off, pitch in as_played(score)] == played


@pytest.mark.parametrize("name", sorted(ONE_VOICE))
def test_tempo_and_velocity_are_those_of_the_midi_file(samples, name):
    genuine = mido.MidiFile(samples[name])
    ours = mido.MidiFile(file=io.BytesIO(write_midi(read_both(samples[name])[1])))
    for file in (genuine, ours):
        assert {m.tempo for t in file.tracks for m in t if m.type == "set_tempo"} == {500_000}
        assert {m.velocity for t in file.tracks for m in t if m.type == "note_on"} == {64, 0}
    assert TICKS_PER_QUARTER % genuine.ticks_per_beat == 0


@pytest.mark.parametrize("name", sorted(CHORDS))
def test_chords_are_refused_by_name(samples, name):
    with pytest.raises(NotationError, match="^chord") as from_pae:
        read_pae_text((samples[name].parent / "verovio_pae.txt").read_text(encoding="utf-8"))
    with pytest.raises(NotationError, match="^chord") as from_mei:
        read_mei(samples[name].with_suffix(".mei").read_text(encoding="utf-8"))
    assert (from_pae.value.reason, from_mei.value.reason) == ("chord", "chord")
