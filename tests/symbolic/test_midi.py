from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hfmusic.symbolic.midi import midi_note_events, note_events, read_midi, write_midi
from hfmusic.symbolic.midi_notation import durations_of, spelled
from hfmusic.symbolic.score import Barline, KeySignature, NotationError, NoteEvent, Rest, TimeSignature
from hfmusic.symbolic.semantic import read_semantic, write_semantic
from tests.symbolic.strategies import scores

GOLDEN = Path(__file__).parents[1] / "golden" / "primus" / "000051652-1_2_1.semantic"


def events(tokens: str) -> list[tuple[float, float, int]]:
    return [(event.onset, event.offset, event.pitch_midi) for event in note_events(read_semantic(tokens))]


def test_as_the_converter_plays():
    data = write_midi(read_semantic("timeSignature-3/4 note-C4_half tie note-C4_quarter barline note-D4_eighth"))
    file = mido.MidiFile(file=io.BytesIO(data))
    assert (file.type, file.ticks_per_beat, len(file.tracks)) == (1, 960, 2)
    tempo = [message.tempo for message in file.tracks[0] if message.type == "set_tempo"]
    assert [mido.tempo2bpm(t) for t in tempo] == [120]
    notes = [(m.note, m.velocity, m.time) for m in file.tracks[1] if m.type == "note_on"]
    assert notes == [(60, 64, 0), (60, 0, 2880), (62, 64, 0), (62, 0, 480)]
    assert file.length == pytest.approx(1.75)


def test_a_multirest_of_the_genuine_sample_is_23_seconds():
    score = read_semantic(GOLDEN.read_text())
    first = note_events(score)[0]
    assert first == NoteEvent(46 + 1.5, 48.0, 70, 64)
    assert mido.MidiFile(file=io.BytesIO(write_midi(score))).length == pytest.approx(float(score.quarters) / 2)


def test_ties_merge_and_grace_notes_are_left_out():
    assert events("note-C4_half tie gracenote-D4_eighth barline note-C4_half tie note-C4_half") == [(0, 6, 60)]
    assert events("note-C4_half tie note-D4_half") == [(0, 2, 60), (2, 4, 62)]
    assert events("note-F#4_half tie note-Gb4_half") == [(0, 4, 66)]
    assert events("gracenote-C4_half tie note-C4_half note-C4_half") == [(0, 2, 60), (2, 4, 60)]


@given(scores(tuplets=True, trills=True, double_accidentals=True))
def test_the_file_holds_what_sounds(score):
    heard, meant = midi_note_events(write_midi(score)), note_events(score)
    assert [event.pitch_midi for event in heard] == [event.pitch_midi for event in meant]
    for got, want in zip(heard, meant, strict=True):
        assert (got.onset, got.offset) == pytest.approx((want.onset, want.offset), abs=1 / 1920)
        assert got.velocity == 64


@given(scores(graces=False))
def test_a_score_read_back_sounds_and_lasts_the_same(score):
    back = read_midi(write_midi(score))
    assert note_events(back) == note_events(score)
    assert back.quarters == score.quarters
    assert write_semantic(read_midi(write_midi(back))) == write_semantic(back)


@given(scores(graces=False, multirests=False))
def test_barlines_fall_where_the_meter_puts_them(score):
    back = read_midi(write_midi(score))
    onsets = {onset for index, onset, _ in back.timeline() if isinstance(back.elements[index], Barline)}
    meter = next(e for e in score.elements if isinstance(e, TimeSignature))
    assert onsets == {meter.quarters * n for n in range(1, int(score.quarters // meter.quarters) + 1)}


def test_plain_music_comes_back_token_for_token():
    tokens = (
        "clef-G2 keySignature-EbM timeSignature-3/4 note-Eb4_quarter note-F4_eighth. note-G4_sixteenth rest-quarter "
        "barline note-Bb4_half. tie barline note-Bb4_half rest-quarter barline"
    ).split()
    assert write_semantic(read_midi(write_midi(read_semantic(tokens)))) == tokens


def test_low_music_is_read_in_the_bass_clef():
    assert write_semantic(read_midi(write_midi(read_semantic("note-C3_half"))))[0] == "clef-F4"


def test_music_that_one_voice_or_the_grid_cannot_hold():
    track = mido.MidiTrack(
        [
            mido.Message("note_on", note=60, velocity=90, time=0),
            mido.Message("note_on", note=64, velocity=80, time=48),
            mido.Message("note_off", note=60, time=48),
            mido.MetaMessage("end_of_track", time=96),
        ]
    )
    buffer = io.BytesIO()
    mido.MidiFile(ticks_per_beat=96, tracks=[track]).save(file=buffer)
    # The second note is never ended: it ends with its track.
    assert midi_note_events(buffer.getvalue()) == [NoteEvent(0, 1, 60, 90), NoteEvent(0.5, 2, 64, 80)]
    with pytest.raises(NotationError, match="chord: a note begins at quarter 1/2 before the last one ends at 1"):
        read_midi(buffer.getvalue())
    with pytest.raises(NotationError, match="rhythm: 1/3 quarter notes is no multiple of a 128th"):
        durations_of(Fraction(1, 3))


@pytest.mark.parametrize("data", [b"", b"RIFF....", b"MThd\0\0\0\6\0\1", b"<xml/>"])
def test_other_bytes_are_refused(data):
    with pytest.raises(ValueError, match=f"not a standard MIDI file: {len(data)} bytes"):
        midi_note_events(data)


def test_smpte_time_is_refused():
    data = bytearray(write_midi(read_semantic("note-C4_quarter")))
    data[12:14] = b"\xe7\x28"
    with pytest.raises(ValueError, match="SMPTE division"):
        midi_note_events(bytes(data))


def test_meters_midi_cannot_hold_are_left_out_and_still_sound():
    score = read_semantic("timeSignature-2/3 multirest-3 note-C4_quarter")
    assert midi_note_events(write_midi(score))[0].onset == 8
    assert not any(isinstance(e, TimeSignature) for e in read_midi(write_midi(score)).elements)


@given(st.integers(12, 119), st.integers(-7, 7))
def test_spelling_keeps_the_pitch_and_the_key(midi, fifths):
    pitch = spelled(midi, KeySignature(fifths))
    assert pitch.midi == midi
    in_key = {(step, KeySignature(fifths).alter_of(step)) for step in "CDEFGAB"}
    sounding = {(pitch.from_diatonic(28 + "CDEFGAB".index(s), a).midi) % 12 for s, a in in_key}
    assert (midi % 12 not in sounding) or (pitch.step, pitch.alter) in in_key


@given(st.integers(1, 600))
def test_figures_add_up(count):
    length = Fraction(count, 32)
    assert sum(duration.quarters for duration in durations_of(length)) == length


def test_silence_is_rests():
    assert all(isinstance(e, Rest) for e in read_midi(write_midi(read_semantic("rest-half"))).elements[1:])
