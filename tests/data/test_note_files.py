"""Files of performed notes: what is in them, and what is said of broken ones."""

from __future__ import annotations

import io
import json
from pathlib import Path

import mido
import pytest

from hfmusic.data.note_files import Note, PlayedNote, jams_notes, midi_notes, parse_notes, read_played, tsv_notes
from hfmusic.data.score_notes import read_played_apart

SCORE = """<?xml version="1.0"?><score-partwise version="3.1"><part-list><score-part id="P1"><part-name/></score-part>
</part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions><time><beats>2</beats><beat-type>4
</beat-type></time><clef><sign>G</sign><line>2</line></clef></attributes>
<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration><type>quarter</type></note>
<note><chord/><pitch><step>E</step><octave>4</octave></pitch><duration>1</duration><type>quarter</type></note>
<note><pitch><step>G</step><octave>4</octave></pitch><duration>1</duration><type>quarter</type></note>
</measure></part></score-partwise>"""


def midi_of(*messages: mido.Message) -> bytes:
    """Messages timed absolutely, in milliseconds."""
    file = mido.MidiFile(type=0, ticks_per_beat=500)  # 500,000 microseconds a quarter: a tick is a millisecond
    track, before = mido.MidiTrack(), 0
    for message in messages:
        track.append(message.copy(time=message.time - before))
        before = message.time
    file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def on(time: int, note: int, velocity: int = 80, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", time=time, note=note, velocity=velocity, channel=channel)


def off(time: int, note: int, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", time=time, note=note, channel=channel)


def pedal(time: int, value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", time=time, control=64, value=value, channel=channel)


def ends(data: bytes) -> list[tuple[float, float, int]]:
    return [(round(n.onset_seconds, 3), round(n.offset_seconds, 3), n.pitch_midi) for n in midi_notes(data)]


def test_tsv_with_and_without_header_and_velocity() -> None:
    header = "OnsetTime\tOffsetTime\tMidiPitch\n0.5\t1.5\t60\n\n0.25\t0.5\t62\n"  # the .txt of MAPS
    assert tsv_notes(header) == [Note(0.25, 0.5, 62, 64), Note(0.5, 1.5, 60, 64)]
    assert tsv_notes("0.5\t1.5\t60.0\t99.0\n") == [Note(0.5, 1.5, 60, 99)] and tsv_notes("") == []


@pytest.mark.parametrize("line", ["1.0\t0.5\t60\t64", "nan\t1\t60\t64", "0\t1\t200\t64", "0\t1", "a\tb\tc\td"])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(f"0\t1\t60\t64\n{line}\n")
    with pytest.raises(ValueError, match=r"a.tsv: line 2 is not onset, offset, pitch and velocity"):
        read_played(path)


def test_pedal() -> None:
    assert ends(midi_of(pedal(0, 127), on(0, 60), off(500, 60), pedal(900, 0), off(1000, 62))) == [(0, 0.9, 60)]
    # The key is down longer than the pedal.
    assert ends(midi_of(pedal(0, 64), on(0, 60), pedal(500, 63), off(900, 60))) == [(0, 0.9, 60)]
    # Struck again under the pedal; the second sounds until the last event.
    again = midi_of(pedal(0, 127), on(0, 60), off(200, 60), on(500, 60), off(600, 60), off(800, 99))
    assert ends(again) == [(0, 0.5, 60), (0.5, 0.8, 60)]
    # Another channel's pedal is another instrument's.
    assert ends(midi_of(pedal(0, 127, 1), on(0, 60), off(500, 60), pedal(900, 0, 1))) == [(0, 0.5, 60)]


def test_keys_that_are_never_let_go_and_percussion() -> None:
    assert ends(midi_of(on(0, 60), on(300, 60), on(400, 72, 80, 9), off(500, 99))) == [(0, 0.3, 60), (0.3, 0.5, 60)]
    assert ends(midi_of(on(0, 60), on(250, 60, 0))) == [(0, 0.25, 60)]


def keys(data: bytes) -> list[tuple[float, float]]:
    """Beginning and end of the notes as labels of keys have them, in their order."""
    return [(round(n.onset_seconds, 3), round(n.offset_seconds, 3)) for n in parse_notes(data, ".mid", "a", "keys")]


def test_keys_are_let_go_before_the_pedal() -> None:
    assert keys(midi_of(pedal(0, 127), on(0, 60), off(500, 60), pedal(900, 0), off(1000, 62))) == [(0, 0.5)]
    assert keys(midi_of(pedal(0, 64), on(0, 60), pedal(500, 63), off(900, 60))) == [(0, 0.9)]
    # Struck again under the pedal, after the key was let go and before; the last event ends what goes on.
    again = midi_of(pedal(0, 127), on(0, 60), off(200, 60), on(500, 60), off(600, 60), off(800, 99))
    assert keys(again) == [(0, 0.2), (0.5, 0.6)]
    assert keys(midi_of(pedal(0, 127), on(0, 60), on(500, 60), off(600, 99))) == [(0, 0.5), (0.5, 0.6)]
    # A second end of a key that is let go already says nothing, and no note is shorter than 10 ms.
    assert keys(midi_of(pedal(0, 127), on(0, 60), off(300, 60), off(400, 60), pedal(900, 0))) == [(0, 0.3)]
    assert keys(midi_of(pedal(0, 127), on(100, 60), off(101, 60), pedal(900, 0))) == [(0.1, 0.11)]


def test_labels_end_with_their_sound_at_the_latest() -> None:
    cut = PlayedNote(1.0, 1.5, 60, 80, key_seconds=2.0, string=3)
    assert cut.labelled("keys") == cut.labelled("sound") == Note(1.0, 1.5, 60, 80, 3)
    assert PlayedNote(1.0, 1.004, 60, 80, 1.0).labelled("keys").offset_seconds == 1.004
    assert parse_notes(b"0\t1\t60\t64\n", ".tsv", "a", "keys") == [Note(0.0, 1.0, 60, 64)]
    with pytest.raises(ValueError, match="offsets must be one of sound, keys, got 'pedal'"):
        parse_notes(b"", ".tsv", "a", "pedal")


def jams(*strings: tuple[str, object], namespace: str = "note_midi") -> str:
    parts = [
        {"namespace": namespace, "annotation_metadata": {"data_source": source}, "data": data}
        for source, data in strings
    ]
    return json.dumps({"annotations": parts})


def test_jams_strings() -> None:
    entry = {"time": 0.5, "duration": 0.25, "value": 40.4, "confidence": None}
    high = {"time": [0.25], "duration": [0.5], "value": [63.6], "confidence": [None]}  # the dense form
    impossible = {"time": 0.0, "duration": 1.0, "value": 120.05, "confidence": None}
    notes = jams_notes(jams(("0", [entry]), ("5", high), ("4", [impossible])))
    assert notes == [Note(0.25, 0.75, 64, 64, 1), Note(0.5, 0.75, 40, 64, 6)]


@pytest.mark.parametrize(
    ("text", "match"),
    [("{", "not a JAMS file"), ("[]", "not a JAMS file"), (jams(namespace="chord"), "no note_midi annotation")],
)
def test_no_jams(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "a.jams"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"a.jams: .*{match}"):
        read_played(path)


def test_other_files(tmp_path: Path) -> None:
    (tmp_path / "a.mid").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="a.mid: not a standard MIDI file"):
        read_played(tmp_path / "a.mid")
    with pytest.raises(ValueError, match="b.tsv: cannot be read"):
        read_played(tmp_path / "b.tsv")
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match="a.png: notes are in .tsv, .jams"):
        read_played(tmp_path / "a.png")


def test_scores_are_read_apart(tmp_path: Path) -> None:
    (tmp_path / "a.musicxml").write_text(SCORE)
    (tmp_path / "b.mxl").write_bytes(b"PK junk")
    (tmp_path / "c.tsv").write_text("0\t1\t60\t64\n")
    score, broken, plain = (notes for _, notes in read_played_apart(sorted(tmp_path.iterdir())))
    assert [(n.onset_seconds, n.pitch_midi) for n in score] == [(0.0, 60), (0.0, 64), (0.5, 67)]
    assert isinstance(broken, ValueError) and "b.mxl: a damaged .mxl archive of 7 bytes" in str(broken)
    assert plain == [PlayedNote.of(Note(0.0, 1.0, 60, 64))]
