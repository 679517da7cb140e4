"""Recordings of any length, with an ear that hears tones."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from hfmusic.hearing.ear import Heard
from hfmusic.hearing.listen import listen
from hfmusic.hearing.loudness import loudness
from hfmusic.hearing.windows import joined, read_windows
from hfmusic.models.audio_reading import Sound

from .conftest import RATE, ToneEar, melody, play


def without_signs(tokens: tuple[str, ...] | list[str]) -> list[str]:
    return [token for token in tokens if not token.startswith(("clef", "timeSignature"))]


def test_a_short_recording(ear: ToneEar) -> None:
    text = melody(4)
    sound = np.concatenate([np.random.default_rng(0).normal(0, 3e-4, RATE), play(text, 100)]).astype(np.float32)
    heard = listen(Sound(sound), ear)
    assert heard.tempo == pytest.approx(100, rel=0.03)
    assert [t for t in heard.tokens if t.startswith("note")] == [t for t in text.split() if t.startswith("note")]
    first = heard.tokens.index(text.split()[2])
    assert heard.spans[first][0] == pytest.approx(1.0, abs=0.15)  # seconds of the recording, not of what is left of it


@pytest.mark.parametrize("tempo", [None, 100.0])
def test_a_long_recording_is_read_by_windows(ear: ToneEar, tempo: float | None) -> None:
    text = melody(36)  # 86 s
    sound = Sound(play(text, 100))
    heard = listen(sound, ear, tempo=tempo)
    assert ear.reads >= 4
    assert heard.tempo == pytest.approx(100, rel=0.03)
    assert without_signs(heard.tokens) == without_signs(text.split())
    assert heard.tokens[:2] == ("clef-G2", "timeSignature-4/4")
    starts = [start for start, _ in heard.spans]
    assert (np.diff(starts) > -0.05).all()
    assert heard.spans[-1][0] == pytest.approx(sound.seconds, abs=3)


def test_windows_begin_with_measures(ear: ToneEar) -> None:
    sound = Sound(play(melody(30), 120))
    parts = list(read_windows(sound, ear, (0.0, sound.seconds), 120, loudness(sound)))
    assert len(parts) >= 3
    for heard, until in parts[:-1]:
        assert heard.tokens[-1] == "barline"
        assert until / 2 == pytest.approx(round(until / 2), abs=0.05)  # measures last two seconds


def test_without_bar_lines_windows_are_cut_between_notes() -> None:
    text = melody(36)
    heard = listen(Sound(play(text, 120)), ToneEar(barlines=False), tempo=120)
    notes = [token for token in text.split() if token.startswith("note")]
    assert [token for token in heard.tokens if token.startswith("note")] == notes


def test_a_pause_parts_the_music(ear: ToneEar) -> None:
    one, other = melody(7, seed=1), melody(7, seed=2)
    sound = np.concatenate([play(one, 120), np.zeros(6 * RATE, np.float32), play(other, 120)])
    heard = listen(Sound(sound), ear, tempo=120)
    notes = [token for token in f"{one} {other}".split() if token.startswith("note")]
    assert [token for token in heard.tokens if token.startswith("note")] == notes


def test_half_an_hour_needs_little_memory(ear: ToneEar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.wav"
    part = play(melody(8), 120)
    with sf.SoundFile(path, "w", RATE, 1, "PCM_16") as file:
        for _ in range(1800 // 16 + 1):
            file.write(part)
    empty = Heard(("clef-G2", "note-C4_whole", "barline"), (0.9,) * 3, ((0.0, 0.1), (0.1, 1.9), (1.9, 2.0)), 120.0)
    monkeypatch.setattr(ear, "read", lambda sound, tempo, method=None: empty)
    tracemalloc.start()
    with Sound(path) as sound:
        assert sound.seconds > 1800
        heard = listen(sound, ear)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert heard.tokens.count("note-C4_whole") > 50
    assert peak < 60e6  # the samples alone would be 160 MB


def test_silence_and_no_notes(ear: ToneEar) -> None:
    with pytest.raises(ValueError, match="no music in hum: it is silent"):
        listen(Sound(np.zeros(RATE, np.float32), name="hum"), ear)
    with pytest.raises(ValueError, match="no music in click: no note was heard"):
        listen(Sound(np.eye(1, RATE, 500, dtype=np.float32)[0], name="click"), ear)


def test_what_noise_is_taken_for(ear: ToneEar, monkeypatch: pytest.MonkeyPatch) -> None:
    guess = Heard(("note-C4_quarter",), (0.2,), ((0.0, 1.0),), 120.0)
    monkeypatch.setattr(ear, "read", lambda sound, tempo, method=None: guess)
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    with pytest.raises(ValueError, match="no music in hiss: what was heard is only 20 % sure"):
        listen(Sound(noise, name="hiss"), ear)


@pytest.mark.parametrize("tempo", [0.0, -3.0, 1000.0, float("nan")])
def test_tempos_out_of_range(ear: ToneEar, tempo: float) -> None:
    with pytest.raises(ValueError, match="the tempo must be 20 to 480 quarter notes a minute"):
        listen(Sound(play("note-C4_half", 120)), ear, tempo=tempo)


def heard(text: str, tempo: float = 120.0) -> Heard:
    tokens = tuple(text.split())
    return Heard(tokens, (0.5,) * len(tokens), ((0.0, 1.0),) * len(tokens), tempo)


def test_joining() -> None:
    first = heard("clef-G2 keySignature-DM timeSignature-3/4 note-C4_half. barline", 100)
    second = heard("clef-F4 timeSignature-3/4 barline note-D4_half. barline clef-C3", 104)
    both = joined([first, second.shifted(5.0)])
    assert both.tokens == (*first.tokens, "note-D4_half.", "barline", "clef-C3")
    assert both.spans[-1] == (5.0, 6.0)
    assert both.tempo == 102
    assert joined([heard("", 104), second]) == second
    with pytest.raises(ValueError, match="at least one reading"):
        joined([])


def test_one_meter_for_all() -> None:
    half = "note-C4_half barline note-D4_half barline note-E4_half barline"
    two = heard(f"clef-G2 timeSignature-2/4 {half}")
    four = heard("clef-G2 timeSignature-4/4 note-C4_half note-D4_half barline")
    cut = heard("timeSignature-C/ note-C4_half note-D4_half barline")
    # the reading in 4/4 is the shortest: its measures are halved
    assert joined([two, four]).tokens == (*two.tokens, "note-C4_half", "barline", "note-D4_half", "barline")[:-1]
    assert joined([cut, four, four]).tokens[0] == "timeSignature-4/4"
    assert joined([cut, four, four]).tokens.count("barline") == 3
    # an upbeat stays one
    upbeat = heard("timeSignature-4/4 note-C4_quarter barline note-D4_whole barline")
    found = joined([upbeat, two, two]).tokens
    assert found[:6] == ("timeSignature-2/4", "note-C4_quarter", "barline", "note-D4_half", "tie", "barline")
    assert joined([heard("note-C4_half barline"), heard("note-D4_half")]).tokens[-1] == "note-D4_half"


def test_parts_of_what_was_heard() -> None:
    part = heard("clef-G2 note-C4_half barline").shifted(2.0, first=1, last=2)
    assert (part.tokens, part.spans, part.confidence) == (("note-C4_half",), ((2.0, 3.0),), 0.5)
    assert heard("").confidence == 0
