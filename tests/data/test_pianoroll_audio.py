"""`hfmusic build pianoroll_audio`: the beats of the file are kept, sounds begin on their steps, works stay apart."""

from __future__ import annotations

import importlib.util
import io
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import mido
import numpy as np
import pytest
import soundfile

from hfmusic.build import build
from hfmusic.data.pianoroll_audio import PianorollAudioSettings, parse_transpose, pianoroll_audio_items
from hfmusic.data.pianoroll_audio_rows import PianorollAudioRows
from hfmusic.data.rolls import RollPiece, read_rolls, row_piece
from hfmusic.data.shards import Row
from hfmusic.data.splits import split_of
from hfmusic.render.soundfonts import shipped_font
from hfmusic.testing.scores import piano_musicxml

SCRIPT = Path(__file__).parents[2] / "dataset_scripts" / "pianoroll_audio.py"


def midi_bytes(pitches: list[int]) -> bytes:
    """A note each half beat, louder and louder, at 120 beats a minute, after four beats at 80; the pedal holds the
    last."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    for number, pitch in enumerate(pitches):
        if number == 8:
            track.append(mido.MetaMessage("set_tempo", tempo=750_000))
        if number == len(pitches) - 1:
            track.append(mido.Message("control_change", control=64, value=127))
        track.append(mido.Message("note_on", note=pitch, velocity=40 + 5 * number, time=60))
        track.append(mido.Message("note_off", note=pitch, time=180))
    track.append(mido.Message("control_change", control=64, value=0, time=480))
    file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pieces by two composers: three to train on, one to test on."""
    folder = tmp_path_factory.mktemp("labels") / "midi"
    names = {"one": ("chpn-p1", "chpn-p3"), "two": ("mz_331_1", "scn15_1")}
    for number, (composer, works) in enumerate(names.items()):
        (folder / composer).mkdir(parents=True)
        for work in works:
            pitches = [50 + (7 * step + number) % 24 for step in range(12)]
            (folder / composer / f"{work}.mid").write_bytes(midi_bytes(pitches))
    return folder


def items(labels: list[Path], **options: Any) -> tuple[list[Row], Counter[str], PianorollAudioRows]:
    dropped: Counter[str] = Counter()
    settings = PianorollAudioSettings(tuple(map(str, labels)), **options)
    rows = settings.rows()
    return list(pianoroll_audio_items(settings, rows, dropped)), dropped, rows


def sound_of(piece: RollPiece) -> np.ndarray:
    return soundfile.read(io.BytesIO(piece.audio), dtype="float32")[0]


def test_beats_are_the_files(labels: Path) -> None:
    """A beat lasts half a second, from the ninth note on three quarters of it; notes begin on eighths of a beat."""
    planned, _, rows = items([labels])
    piece = row_piece(rows(planned[0]))
    assert (piece.piece, piece.composer, piece.source, piece.work) == ("midi/one/chpn-p1", "one", "midi", "chpn-p1")
    assert np.diff(piece.step_seconds[:97]) == pytest.approx(0.5 / 24)
    assert np.diff(piece.step_seconds[97:]) == pytest.approx(0.75 / 24)
    onsets = 3 + 12 * np.arange(12)
    assert piece.notes["onset_step"].tolist() == onsets.tolist()
    assert piece.notes["offset_step"].tolist() == [*(onsets[:-1] + 9), onsets[-1] + 9 + 24]  # the pedal
    assert piece.seconds_at(onsets) == pytest.approx(piece.notes["onset_seconds"])
    assert piece.notes["velocity"].tolist() == [40 + 5 * number for number in range(12)]
    _, _, keys = items([labels], offsets="keys")
    assert row_piece(keys(planned[0])).notes["offset_step"][-1] == onsets[-1] + 9


def test_sounds_begin_on_their_steps(labels: Path) -> None:
    """Also in another key; the pitch that is written is heard."""
    planned, _, rows = items([labels], variations=1, transpose=(-5, 0))
    moved = [item for item in planned if item["transposition"]]
    (original,) = [item for item in planned if item["id"] == moved[0]["piece"]]
    piece, plain = row_piece(rows(moved[0])), row_piece(rows(original))
    assert np.array_equal(piece.notes["pitch_midi"], plain.notes["pitch_midi"] + moved[0]["transposition"])
    sound = sound_of(piece)
    assert piece.seconds == pytest.approx(len(sound) / 22050) and np.abs(sound).max() == pytest.approx(0.5, abs=0.01)
    for onset, pitch in zip(piece.seconds_at(piece.notes["onset_step"]), piece.notes["pitch_midi"], strict=True):
        start = round((onset - 0.02) * 22050)
        level = np.sqrt(np.convolve(sound[start : start + 4410] ** 2, np.full(32, 1 / 32), "same"))
        assert level[:220].max() < level.max() / 2  # silence before it
        spectrum = np.abs(np.fft.rfft(sound[start + 1300 : start + 4300] * np.hanning(3000), 1 << 16))
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        near = slice(*(round(hertz * factor * (1 << 16) / 22050) for factor in (0.97, 1.03)))
        assert spectrum[near].max() > 0.2 * spectrum.max()


def test_velocity_one_is_hardly_heard(labels: Path) -> None:
    planned, _, rows = items([labels], velocity="one")
    piece = row_piece(rows(planned[0]))
    assert set(piece.notes["velocity"].tolist()) == {1}
    sound = sound_of(piece)
    assert 1 <= np.abs(sound * 32768).max() <= 4  # about a step of 16 bits


def test_scores_keep_their_beats(tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    (tmp_path / "scores" / "piece.musicxml").write_text(piano_musicxml(4, seed=1))
    planned, _, rows = items([tmp_path / "scores"])
    assert [(item["piece"], item["composer"]) for item in planned] == [("scores/piece", "")]
    piece = row_piece(rows(planned[0]))
    assert len(piece.notes) > 8 and (piece.notes["onset_step"] % 3 == 0).all()
    assert piece.seconds_at(piece.notes["onset_step"]) == pytest.approx(piece.notes["onset_seconds"], abs=1e-3)


def test_works_are_kept_apart_and_left_out(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "MAPS_MUS-chpn-p1_ENSTDkCl.flac").write_bytes(b"")
    planned, dropped, _ = items([labels], exclude_works=(str(tmp_path),), variations=3)
    assert {item["work"] for item in planned} == {"chpn-p3", "mz-331-1", "scn15-1"} and dropped == {"excluded work": 1}
    assert all(item["split"] == split_of(item["work"]) for item in planned)
    for split, each in (("train", 4), ("validation", 1), ("test", 1)):
        counts = Counter(item["work"] for item in planned if item["split"] == split)
        assert set(counts.values()) <= {each}
    few, _, _ = items([labels], n=2)
    assert len(few) == 2 and few == items([labels], n=2)[0]


def test_keys_and_fonts_take_turns(labels: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(shipped_font(), tmp_path / name / "000.sf3")
    fonts = tuple(str(tmp_path / name) for name in ("one", "two"))
    planned, _, _ = items([labels], fonts=fonts, variations=4, transpose=(-2, 2))
    for work in {item["work"] for item in planned if item["split"] == "train"}:
        own = [item for item in planned if item["work"] == work]
        assert own[0]["transposition"] == 0 and sorted(item["transposition"] for item in own) == [-2, -1, 0, 1, 2]
        assert sorted(Counter(item["voice"] for item in own).values()) == [2, 3]
    still, _, _ = items([labels], variations=2, transpose=(0, 0))
    assert {item["transposition"] for item in still} == {0}


def test_the_verb_and_the_script_make_the_same(labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setattr(datasets.config, "TORCHCODEC_AVAILABLE", False)
    options = {"labels": [str(labels)], "variations": 1, "seed": 2}
    summary = build("pianoroll_audio", tmp_path / "out", num_proc=1, **options)
    assert summary["failed"] == 0 and sum(summary["rows"].values()) == 4 + summary["rows"].get("train", 0) // 2
    spec = importlib.util.spec_from_file_location("pianoroll_audio_script", SCRIPT)
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pianoroll_audio_script", script)
    spec.loader.exec_module(script)
    builder = script.PianorollAudioBuilder(cache_dir=str(tmp_path / "cache"), **options)
    builder.download_and_prepare()
    prepared, undecoded = builder.as_dataset(), datasets.Audio(sampling_rate=22050, decode=False)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache2"))
    assert set(prepared) == set(loaded)
    for split, part in loaded.items():
        assert prepared[split].features == part.features
        ours, theirs = (one.cast_column("audio", undecoded) for one in (prepared[split], part))
        assert ours.to_list() == theirs.to_list()
        assert [piece.id for piece in read_rolls(tmp_path / "out", split)] == part["id"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert "Splits are by composition" in card and str(labels) not in card + (tmp_path / "out/build.json").read_text()


def test_broken_files_give_no_rows(tmp_path: Path) -> None:
    (tmp_path / "midi").mkdir()
    (tmp_path / "midi" / "a.mid").write_bytes(b"no MIDI")
    (tmp_path / "midi" / "b.mid").write_bytes(midi_bytes([60] * 10))
    (tmp_path / "midi" / "c.mid").write_bytes(midi_bytes([]))
    planned, _, rows = items([tmp_path / "midi"], max_seconds=2.0)
    for item, message in zip(
        planned, ("not a standard MIDI file", "longer than max_seconds 2", "nothing sounds"), strict=True
    ):
        with pytest.raises(ValueError, match=message):
            rows(item)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "pianoroll_audio needs labels"),
        ({"labels": []}, "labels must name a folder of MIDI"),
        ({"labels": ["none"]}, "none must be a folder of MIDI files or scores"),
        ({"labels": ["."], "transpose": "up"}, "transpose must be LOW..HIGH in semitones, such as -6..6, got 'up'"),
        ({"labels": ["."], "transpose": "2..6"}, "transpose must be LOW..HIGH about 0, 24 at most, got 2..6"),
        ({"labels": ["."], "velocity": "two"}, "velocity must be as-is or one, got 'two'"),
        (
            {"labels": ["."], "augment": ["tempo"]},
            "augment of pianoroll_audio must be among room, noise, eq, got tempo",
        ),
        ({"labels": ["."], "offsets": "pedal"}, "offsets must be one of sound, keys, got 'pedal'"),
        ({"labels": ["."], "variations": -1}, "variations must be at least 0, got -1"),
        ({"labels": ["."], "fonts": []}, "fonts must name one font at least"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build("pianoroll_audio", tmp_path / "out", **options)


def test_transpose_is_a_range() -> None:
    assert parse_transpose("-6..6") == (-6, 6) and parse_transpose("0..0") == (0, 0)
