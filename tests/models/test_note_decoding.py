"""Notes to maps and back: labels by hand, exact times, re-struck notes, borders, the paper's codes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hfmusic.models.note_decoding import HEADS, KEYS, DecodingOptions, NoteEvent, decode_notes, encode_notes

FRAME = 0.02
PAPER = DecodingOptions.paper()
ALL = DecodingOptions(minimum_seconds=0.0)
FRAMES = 120


def silence(frames: int = 40) -> dict[str, np.ndarray]:
    return {name: np.zeros((frames, KEYS), np.float32) for name in HEADS}


def test_maps_of_one_note_by_hand() -> None:
    maps = encode_notes([NoteEvent(0.045, 0.13, 60, 127)], 10, FRAME, scheme="heads")
    key = 60 - 21
    assert maps["onset"][:, key].tolist() == pytest.approx([0, 0.375, 0.875, 0.625, 0.125, 0, 0, 0, 0, 0])
    assert maps["offset"][:, key].tolist() == pytest.approx([0, 0, 0, 0, 0, 0.25, 0.75, 0.75, 0.25, 0])
    assert maps["frame"][:, key].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    assert maps["velocity"][:, key].tolist() == [0, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    assert all(values.sum() == values[:, key].sum() and values.dtype == np.float32 for values in maps.values())


def test_the_papers_codes_by_hand() -> None:
    notes = [
        *(NoteEvent(0.032, 0.1, 21, 3), NoteEvent(0.1, 0.2, 21, 3)),  # struck again in the frame of the offset: one run
        NoteEvent(0.16, 0.161, 22, 3),  # no frame long: its offset's code overwrites its onset's
        NoteEvent(0.0, 0.09, 108, 3),
    ]
    frame = encode_notes(notes, 8, 0.032, scheme="paper")["frame"]
    assert frame[:, 0].tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
    assert not frame[:, 1].any()
    assert frame[:, 87].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]
    assert decode_notes({"frame": frame}, 0.032, PAPER) == [
        NoteEvent(0.0, pytest.approx(0.096), 108, 64),  # type: ignore[arg-type]
        NoteEvent(0.032, pytest.approx(0.192), 21, 64),  # type: ignore[arg-type]
    ]


def test_in_the_papers_codes_a_later_note_wins() -> None:
    long, short = NoteEvent(0.0, 0.32, 60, 64), NoteEvent(0.064, 0.128, 60, 64)
    frame = encode_notes([long, short], 12, 0.032, scheme="paper")["frame"][:, 39]
    assert frame.tolist() == [1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0]  # the short one's offset silences its frame


@pytest.mark.parametrize("scheme", ["paper", "heads"])
def test_a_crop_holds_what_sounds_in_it(scheme: str) -> None:
    notes = [
        NoteEvent(0.0, 10.2, 60, 64),  # goes on into the crop
        NoteEvent(1.0, 9.0, 61, 64),  # is over
        NoteEvent(10.1, 99.0, 62, 64),  # goes on after it
        NoteEvent(11.0, 12.0, 63, 64),  # is yet to come
        NoteEvent(10.0, 10.5, 20, 64),  # no piano has it
        NoteEvent(10.0, 10.5, 109, 64),
    ]
    maps = encode_notes(notes, 40, FRAME, start_seconds=10.0, scheme=scheme)  # type: ignore[arg-type]
    assert np.flatnonzero(maps["frame"].any(axis=0)).tolist() == [39, 41]
    assert maps["frame"][:, 39].tolist() == [1] * 10 + [0] * 30
    assert maps["frame"][:, 41].tolist() == [0] * 5 + [1] * 35
    found = decode_notes(maps, FRAME, PAPER if scheme == "paper" else ALL)
    assert [(note.pitch_midi, *np.round(note[:2], 6)) for note in found] == [(60, 0.0, 0.2), (62, 0.1, 0.8)]


@st.composite
def apart(draw: st.DrawFn, shortest: float, gap: float) -> list[NoteEvent]:
    """Notes, in frames, that last and are apart at least so many frames within a key."""
    notes = []
    for pitch in draw(st.sets(st.integers(21, 108), max_size=4)):
        at = draw(st.floats(0, 20))
        for _ in range(draw(st.integers(1, 4))):
            end = at + shortest + draw(st.floats(0, 20))
            if end > FRAMES - 3:
                break
            notes.append(NoteEvent(at * FRAME, end * FRAME, pitch, draw(st.integers(1, 127))))
            at = end + gap + draw(st.sampled_from([0.0, 0.5, 3.0, 17.25]))
    return sorted(notes)


@settings(max_examples=100, deadline=None)
@given(apart(shortest=3.0, gap=0.0))
@example([NoteEvent(0.07, 0.13, 60, 1), NoteEvent(0.13, 0.19, 60, 1)])  # both begin halfway between two frames
def test_heads_give_exact_times_back(notes: list[NoteEvent]) -> None:
    """Of notes that last three frames or longer; those of a key may follow each other without a gap."""
    found = decode_notes(encode_notes(notes, FRAMES, FRAME, scheme="heads"), FRAME, ALL)
    assert sorted((note.pitch_midi, note.velocity) for note in found) == sorted(
        (n.pitch_midi, n.velocity) for n in notes
    )
    by_key = [sorted(those, key=lambda note: (note.pitch_midi, note.onset_seconds)) for those in (notes, found)]
    times = [np.array([note[:2] for note in those]).reshape(-1, 2) for those in by_key]
    assert np.abs(times[0] - times[1]).max(initial=0) < 1e-4 * FRAME


@settings(max_examples=100, deadline=None)
@given(apart(shortest=1.01, gap=1.01))
def test_the_papers_roll_gives_notes_back_to_half_a_frame(notes: list[NoteEvent]) -> None:
    """Of notes that last longer than a frame (see below); those of a key more than a frame apart."""
    found = decode_notes(encode_notes(notes, FRAMES, FRAME, scheme="paper"), FRAME, PAPER)
    by_key = [sorted(those, key=lambda note: (note.pitch_midi, note.onset_seconds)) for those in (notes, found)]
    assert [note.pitch_midi for note in by_key[0]] == [note.pitch_midi for note in by_key[1]]
    times = [np.array([note[:2] for note in those]).reshape(-1, 2) for those in by_key]
    assert np.abs(times[0] - times[1]).max(initial=0) <= 0.5 * FRAME + 1e-9


def test_the_papers_roll_loses_a_note_of_a_frame_that_begins_halfway() -> None:
    """Halves round to even, as in its public code: 1.5 and 2.5 are both frame 2."""
    for onset, kept in ((1.5, 0), (2.5, 2), (2.0, 1)):
        note = NoteEvent(onset * FRAME, (onset + 1) * FRAME, 60, 64)
        assert encode_notes([note], FRAMES, FRAME, scheme="paper")["frame"].sum() == kept


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 30), st.integers(0, 2**32 - 1), st.sampled_from([PAPER, DecodingOptions()]))
def test_any_maps_give_notes_in_order(frames: int, seed: int, options: DecodingOptions) -> None:
    rng = np.random.default_rng(seed)
    maps = {name: rng.random((frames, KEYS), np.float32) for name in HEADS}
    found = decode_notes(maps, FRAME, options)
    assert found == sorted(found, key=lambda note: (note.onset_seconds, note.pitch_midi))
    ends: dict[int, float] = {}
    for note in found:
        assert 0 <= note.onset_seconds <= note.offset_seconds <= frames * FRAME
        assert note.offset_seconds - note.onset_seconds >= options.minimum_seconds
        assert note.onset_seconds >= ends.get(note.pitch_midi, 0) - 1e-9
        assert 1 <= note.velocity <= 127 and 21 <= note.pitch_midi <= 108
        ends[note.pitch_midi] = note.offset_seconds


def test_a_key_struck_again_while_it_sounds() -> None:
    maps = silence()
    maps["frame"][5:30, 39] = 0.9
    maps["onset"][[5, 15], 39] = 0.8
    maps["velocity"][[5, 15], 39] = [0.5, 1.5]
    found = decode_notes(maps, FRAME)
    assert [(n.onset_seconds, n.offset_seconds, n.velocity) for n in found] == [
        (pytest.approx(0.1), pytest.approx(0.3), 64),
        (pytest.approx(0.3), pytest.approx(0.6, abs=FRAME), 127),
    ]


def test_a_key_that_sounds_from_the_start() -> None:
    maps = silence()
    maps["frame"][:10, 39] = maps["frame"][3:10, 40] = 0.9
    found = decode_notes(maps, FRAME)
    assert [(note.pitch_midi, note.onset_seconds) for note in found] == [(60, 0.0)]  # 61 never had an onset
    assert decode_notes(maps, FRAME, DecodingOptions(opening_notes=False)) == []
    roll = {"frame": maps["frame"]}
    assert len(decode_notes(roll, FRAME, PAPER)) == 2
    assert len(decode_notes(roll, FRAME, DecodingOptions.paper(opening_notes=False))) == 1
    maps["onset"][1, 39] = 0.9  # its onset comes a little late: one note, not two
    assert [note.onset_seconds for note in decode_notes(maps, FRAME)] == [pytest.approx(FRAME)]


def test_where_a_note_ends() -> None:
    maps = silence()
    maps["onset"][5, :3] = 0.9
    maps["frame"][5:30, :3] = [0.9, 0.9, 0.0]
    maps["offset"][12, 1] = 0.7
    falls, ended, grace = decode_notes(maps, FRAME)
    assert falls.offset_seconds == pytest.approx((29 + 5 / 9) * FRAME)  # 0.9 to 0 passes 0.4 there
    assert ended.offset_seconds == pytest.approx(12 * FRAME)
    assert grace.offset_seconds == pytest.approx(7 * FRAME)
    assert decode_notes(maps, FRAME, DecodingOptions(offset_threshold=0.8))[1].offset_seconds > 29 * FRAME
    assert len(decode_notes(maps, FRAME, DecodingOptions(minimum_seconds=0.05))) == 2


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_few_frames_and_silence(frames: int) -> None:
    assert decode_notes(silence(frames), FRAME) == []
    assert decode_notes({"frame": np.zeros((frames, KEYS))}, FRAME, PAPER) == []
    loud = {name: np.ones((frames, KEYS), np.float32) for name in HEADS}
    assert len(decode_notes(loud, FRAME, ALL)) == KEYS * min(frames, 1)


def test_an_hour_takes_seconds() -> None:
    frames = 60 * 60 * 50
    rng = np.random.default_rng(0)
    onsets = rng.uniform(0, 3590, 20_000).tolist()
    notes = [NoteEvent(onset, onset + 0.3, int(rng.integers(30, 90)), 64) for onset in onsets]
    maps = encode_notes(notes, frames, FRAME, scheme="heads")
    start = time.process_time()
    found = decode_notes(maps, FRAME)
    assert time.process_time() - start < 20
    assert 0.98 * len(notes) < len(found) <= len(notes)  # a few fall on each other


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: DecodingOptions(scheme="other"), "scheme must be one of paper, heads, got 'other'"),  # type: ignore[arg-type]
        (lambda: DecodingOptions(onset_threshold=0), "onset_threshold must be a probability above 0, got 0"),
        (lambda: DecodingOptions(minimum_seconds=-1), "minimum_seconds must not be negative, got -1"),
        (lambda: DecodingOptions(onset_distance=0), "onset_distance must be at least 1"),
        (lambda: encode_notes([], -1, FRAME, scheme="heads"), "frames must not be negative"),
        (lambda: encode_notes([], 1, 0.0, scheme="heads"), "frame_seconds positive, got 1 and 0.0"),
        (lambda: encode_notes([], 1, FRAME, scheme="x"), "scheme must be one of"),  # type: ignore[arg-type]
        (lambda: decode_notes({"frame": np.zeros((1, 88))}, FRAME), "onset, offset, velocity missing"),
        (lambda: decode_notes({"frame": np.zeros((1, 87))}, FRAME, PAPER), r"must all be \(frames, 88\), got frame"),
        (lambda: decode_notes(silence(), 0.0), "frame_seconds must be positive, got 0.0"),
    ],
)
def test_bad_input_says_what_is_wrong(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=message):
        call()
