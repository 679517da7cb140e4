"""Snippet pairs: one for each frame of a system, windows where they should be, and what is heard is what is seen."""

from __future__ import annotations

import numpy as np
import pytest

from hfmusic.data.snippets import SnippetGeometry, cut_audio, cut_sheet, onset_frame, snippet_pairs
from hfmusic.render.engrave_score import engrave_score
from hfmusic.render.play_sheet import play_sheet
from hfmusic.render.sheet import Sheet, SheetNote, SheetRow, System, unroll
from hfmusic.render.synthesize import SAMPLING_RATE, Synthesizer, shipped_font
from hfmusic.testing.scores import piano_musicxml

HOP = SAMPLING_RATE / 20
SMALL = SnippetGeometry(20, 40, 1.0, 8)


def flat_sheet(notes: list[tuple[float, float, int]]) -> Sheet:
    """(x, seconds, system) of notes on two systems of 300 pixels."""
    placed = tuple(
        SheetNote(0, system, x, 10.0 + 100 * system, 60, 1, 2 * seconds, seconds, seconds + 0.1)
        for x, seconds, system in notes
    )
    return Sheet((np.full((200, 835), 255, np.uint8),), (System(0, 0, 0, 300, 20), System(0, 0, 100, 300, 120)), placed)


def test_geometries() -> None:
    assert SnippetGeometry.paper().image_size == (180, 200) and SnippetGeometry.paper().frames == 42
    assert SnippetGeometry.public().image_size == (80, 100) and SnippetGeometry.public().frames == 42
    assert SnippetGeometry.recommended().frames == 84
    with pytest.raises(ValueError, match="a snippet must have pixels and frames"):
        SnippetGeometry(0, 10, 1.0, 42)


def test_recommended_is_the_model_s() -> None:
    from hfmusic.models.configuration_audio_score import AudioScoreConfig

    for name in ("recommended", "paper", "public"):
        config, geometry = getattr(AudioScoreConfig, name)(), getattr(SnippetGeometry, name)()
        assert all(getattr(config, field) == getattr(geometry, field) for field in geometry.__dataclass_fields__), name


def test_one_pair_for_each_frame_of_a_system() -> None:
    """Chords and notes of one frame are the first notehead; windows that leave the row or the sound are left out."""
    sheet = flat_sheet(
        [(30, 0.5, 0), (33, 0.5, 0), (50, 0.51, 0), (52, 0.54, 0), (250, 1.0, 0), (30, 1.0, 1), (290, 3, 1)]
    )
    row = unroll(sheet, height=20)
    pairs = snippet_pairs(sheet, row, 100, SMALL)
    assert [(pair.note, pair.system, pair.x, pair.frame) for pair in pairs] == [
        (0, 0, 30, 10),
        (2, 0, 50, 11),
        (4, 0, 250, 20),
        (5, 1, 330, 20),
    ]
    kept = snippet_pairs(sheet, row, 100, SMALL, pad=True)
    assert [pair.note for pair in kept] == [0, 2, 4, 5, 6]
    assert [pair.note for pair in snippet_pairs(sheet, row, 14, SMALL)] == [0]
    assert snippet_pairs(flat_sheet([(30, 0.1, 0), (10, 0.9, 0)]), row, 100, SMALL) == []
    with pytest.raises(ValueError, match="at scale 0.5, got 2 systems at 1"):
        snippet_pairs(sheet, row, 100, SnippetGeometry(20, 40, 0.5, 8))


def test_onset_frames() -> None:
    """As `LogSpectrogram.frame_of`: a sound that begins with a frame is in that frame."""
    assert [onset_frame(seconds) for seconds in (0, 0.05, 0.0501, 0.999, 1)] == [0, 1, 2, 20, 20]


def test_windows() -> None:
    row = np.tile(np.arange(100, dtype=np.uint8), (30, 1))
    row[:, :] += np.arange(30, dtype=np.uint8)[:, None]
    snippet = cut_sheet(row, 50, SMALL)
    assert snippet.shape == (20, 40) and snippet[0, 0] == 30 + 5 and snippet[19, 39] == 69 + 24
    assert cut_sheet(row, 50, SMALL, dy=2, dx=3)[0, 0] == 33 + 7
    edge = cut_sheet(row, 0, SMALL)
    assert (edge[:, :20] == 255).all() and edge[0, 20] == 5
    larger = cut_sheet(row, 50, SMALL, zoom=2.0)
    assert larger.shape == (20, 40) and int(larger[10, 20]) == pytest.approx(50 + 15, abs=1)
    assert int(larger[10, 38]) - int(larger[10, 2]) == pytest.approx(18, abs=1)
    assert int(cut_sheet(row, 50, SMALL, dy=0.5, zoom=1.0)[10, 20]) == pytest.approx(65.5, abs=1)
    spectrogram = np.arange(20, dtype=np.float16)[:, None].repeat(3, 1)
    excerpt = cut_audio(spectrogram, 2, SMALL)
    assert excerpt.shape == (8, 3) and excerpt.dtype == np.float32
    assert (
        list(excerpt[:, 0]) == [0, 0, 0, 1, 2, 3, 4, 5]
        and list(cut_audio(spectrogram, 19, SMALL)[:, 0])[-3:] == [0] * 3
    )


# --- the check of the issue: the note under the centre of the image sounds at the centre of the excerpt


@pytest.fixture(scope="module")
def rendition() -> tuple[Sheet, SheetRow, np.ndarray]:
    """A piece engraved, and played a tenth faster."""
    sheet = engrave_score(piano_musicxml(20, seed=3))
    with Synthesizer(shipped_font()) as synthesizer:
        sound = play_sheet(sheet, synthesizer, 1.1, reverb=False)
    return sheet.at_tempo(1.1), unroll(sheet, height=180), sound


def seen(snippet: np.ndarray, bottom_line: float, space: float) -> tuple[float, int] | None:
    """What a reader sees in the upper staff near the middle: (pixels from the middle, MIDI pitch) of a filled head.

    The head is the place whose 5 x 5 pixels are black, and its pitch is told by its height above the lowest line.
    """
    ink = (snippet < 100).astype(int)
    middle, top = snippet.shape[1] // 2, round(bottom_line - 9 * space)
    blobs = []
    for y in range(top, round(bottom_line + 3 * space)):
        for x in range(middle - 6, middle + 7):
            if ink[y - 2 : y + 3, x - 2 : x + 3].sum() >= 24:
                blobs.append((x + 0.5, y + 0.5))
    if not blobs:
        return None
    x, y = np.mean(blobs, axis=0)
    steps = round((bottom_line - y) / (space / 2))  # E4 is on the line
    octave, step = divmod(2 + steps, 7)
    return x - middle, 60 + 12 * octave + (0, 2, 4, 5, 7, 9, 11)[step]


def heard(sound: np.ndarray, frame: int, pitch: int) -> int:
    """Frames from `frame` to where the energy at a pitch rises most, in the second around it."""
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    bins = np.arange(1025) * SAMPLING_RATE / 2048
    near = np.abs(bins / hertz - 1) < 0.03
    levels = []
    for number in range(frame - 9, frame + 11):
        start = round(number * HOP)
        levels.append(np.abs(np.fft.rfft(sound[start : start + 2048] * np.hanning(2048)))[near].max())
    return int(np.argmax(np.diff(np.array(levels)))) + 1 - 9


def test_what_is_seen_is_heard(rendition: tuple[Sheet, SheetRow, np.ndarray]) -> None:
    """Random pairs: the head under the middle, to 3 pixels, has the pitch that begins at the middle, to 1 frame."""
    sheet, row, sound = rendition
    geometry = SnippetGeometry.paper()
    pairs = snippet_pairs(sheet, row, int(len(sound) / HOP), geometry)
    assert len(pairs) > 60
    checked = 0
    for number in np.random.default_rng(0).permutation(len(pairs))[:40]:
        pair = pairs[number]
        system = sheet.systems[pair.system]
        bottom_line = geometry.image_height / 2 + system.top - (system.top + system.bottom) / 2 + 4 * 7.16
        found = seen(cut_sheet(row.image, pair.x, geometry), bottom_line, 7.16)
        assert found is not None, pair
        away, pitch = found
        assert abs(away) <= 3, (pair, away)
        before = [note for note in sheet.notes if note.pitch_midi % 12 == pitch % 12 and note.staff == 1]
        now = sheet.notes[pair.note].onset_seconds
        if any(0 < abs(note.onset_seconds - now) < 1.2 for note in before):
            continue  # the same pitch, or its octave, is heard just before or after too
        assert abs(heard(sound, pair.frame, pitch)) <= 1, (pair, pitch)
        checked += 1
    assert checked >= 8
