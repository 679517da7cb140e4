"""`hfmusic build synthesized_instruments`: sounds are what their notes say, works are kept apart, bytes come again."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import datasets
import mido
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from hfmusic.build import build
from hfmusic.data.primus_audio_rows import Voice
from hfmusic.data.recordings import read_recordings
from hfmusic.data.shards import Row
from hfmusic.data.splits import split_of
from hfmusic.data.synthesized import AUGMENTATIONS, SynthesizedSettings, synthesized_items
from hfmusic.data.synthesized_rows import SynthesizedRows, instrument_name
from hfmusic.render.soundfonts import shipped_font
from hfmusic.render.synthesize import Synthesizer

WORKS = {"train": ("chpn-p1", "chpn-p3"), "validation": ("mz_331_1",), "test": ("scn15_1",)}


def midi_bytes(pitches: list[int], seconds: float = 1.2) -> bytes:
    """One note after another, each louder than the last, of 0.4 s; then a chord under the pedal."""
    file, track = mido.MidiFile(ticks_per_beat=500), mido.MidiTrack()
    step = round(1000 * seconds)
    for number, pitch in enumerate(pitches):
        track.append(mido.Message("note_on", note=pitch, velocity=40 + 5 * number, time=step - 400 if number else 300))
        track.append(mido.Message("note_off", note=pitch, time=400))
    track.append(mido.Message("control_change", control=64, value=127, time=200))
    track += [mido.Message("note_on", note=pitch, velocity=90) for pitch in (60, 64, 67)]
    track += [mido.Message("note_off", note=pitch, time=50) for pitch in (60, 64, 67)]
    track.append(mido.Message("control_change", control=64, value=0, time=850))
    file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labels") / "midi"
    folder.mkdir()
    for number, work in enumerate(work for works in WORKS.values() for work in works):
        pitches = [48 + (7 * step + number) % 30 for step in range(8)]
        (folder / f"{work}.mid").write_bytes(midi_bytes(pitches))
    return folder


def splits_by_hand(work: str) -> str:
    return next(split for split, works in WORKS.items() if work in {name.replace("_", "-") for name in works})


@pytest.fixture
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Splits that a handful of works would not fall into."""
    monkeypatch.setattr("hfmusic.data.synthesized.split_of", splits_by_hand)


def rows_of(folder: Path) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for path in sorted(folder.glob("data/*.parquet")):
        found[path.name.split("-")[0]] += pq.read_table(path).to_pylist()
    return found


def sound_of(row: Row) -> np.ndarray:
    return soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")[0]


def risen(sound: np.ndarray, onset: float, rate: int = 16000) -> float:
    """Seconds after `onset` at which the sound has a quarter of the level that it reaches in 0.15 s."""
    start = max(0, round((onset - 0.05) * rate))
    level = np.sqrt(np.convolve(sound[start : start + rate // 4] ** 2, np.full(32, 1 / 32), "same"))
    return float((start + np.argmax(level > level.max() / 4)) / rate - onset)


def test_sounds_begin_where_their_notes_do(labels: Path, tmp_path: Path, by_hand: None) -> None:
    """Within 15 ms, also with tempo, key, room, equaliser and noise changed; chords under the pedal end with it."""
    options = {"labels": [labels], "augment": ["tempo", "transpose", "velocity", "room", "eq"], "num_proc": 1}
    build("synthesized_instruments", tmp_path / "out", variations=2, **options)
    rows = rows_of(tmp_path / "out")
    assert {split: len(part) for split, part in rows.items()} == {"train": 6, "validation": 1, "test": 1}
    for row in (row for part in rows.values() for row in part):
        sound, notes = sound_of(row), row["notes"]
        assert len(notes) == 11 and row["seconds"] == pytest.approx(len(sound) / 16000)
        for note in notes[:8]:
            assert -0.005 < risen(sound, note["onset_seconds"]) < 0.015
        assert notes[0]["onset_seconds"] == pytest.approx(0.3 / row["tempo"], abs=1e-4)
        lengths = [note["offset_seconds"] - note["onset_seconds"] for note in notes]
        assert lengths[:8] == pytest.approx([0.4 / row["tempo"]] * 8, abs=1e-4)
        assert lengths[8:] == pytest.approx([1.0 / row["tempo"]] * 3, abs=1e-4)
        assert np.abs(sound).max() == pytest.approx(0.5, abs=0.01)
    plain = rows["test"][0]
    assert (plain["tempo"], plain["transposition"], plain["room_seconds"], plain["eq_decibels"]) == (1, 0, 0, [])
    assert plain["noise_decibels"] is None and plain["font"] == "FluidR3_GM" and plain["instrument"] == "piano"
    assert len({row["tempo"] for row in rows["train"]}) == 6
    assert {row["id"] for row in rows["train"]} >= {"midi/chpn-p1", "midi/chpn-p1-v1", "midi/chpn-p1-v2"}


def test_pitches_are_heard(labels: Path, tmp_path: Path, by_hand: None) -> None:
    build("synthesized_instruments", tmp_path / "out", labels=[labels], augment=["transpose"], num_proc=1)
    row = rows_of(tmp_path / "out")["train"][0]
    sound = sound_of(row)
    for note in row["notes"][:8]:
        start = round((note["onset_seconds"] + 0.05) * 16000)
        spectrum = np.abs(np.fft.rfft(sound[start : start + 4800] * np.hanning(4800), 1 << 16))
        hertz = 440 * 2 ** ((note["pitch_midi"] - 69) / 12)
        near = slice(*(round(hertz * factor * (1 << 16) / 16000) for factor in (0.97, 1.03)))
        assert spectrum[near].max() > 0.2 * spectrum.max()


def test_the_same_bytes_again_and_the_card(labels: Path, tmp_path: Path, by_hand: None) -> None:
    options = {"labels": [labels], "augment": ["all"], "excerpt_seconds": 6.0, "seed": 3, "num_proc": 1}
    for name in ("one", "two"):
        build("synthesized_instruments", tmp_path / name, **options)
    one, two = (
        {path.relative_to(tmp_path / name).as_posix(): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert all(row["seconds"] <= 6.0 for part in rows_of(tmp_path / "one").values() for row in part)
    card = (tmp_path / "one" / "README.md").read_text()
    assert "No composition is in two splits" in card and str(labels) not in card + one["build.json"].decode()
    loaded = datasets.load_dataset(str(tmp_path / "one"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded[0]["audio"]["sampling_rate"] == 16000 and loaded[0]["notes"][0]["velocity"] > 0
    assert len(list(read_recordings(tmp_path / "one", "train"))) == len(loaded)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_notes_end_with_their_sound_or_their_keys(labels: Path, tmp_path: Path, by_hand: None) -> None:
    """The same sounds; labels differ by the pedal alone, in its chord of keys held for 50, 100 and 150 ms."""
    options = {"labels": [labels], "augment": ["all"], "excerpt_seconds": 6.0, "variations": 1, "num_proc": 1}
    for offsets in ("sound", "keys"):
        build("synthesized_instruments", tmp_path / offsets, offsets=offsets, **options)
        assert f"offsets {offsets}" in (tmp_path / offsets / "README.md").read_text()
    sounds, keys = (rows_of(tmp_path / offsets) for offsets in ("sound", "keys"))
    assert sounds.keys() == keys.keys()
    held: Counter[float] = Counter()
    for sound, key in ((a, b) for split in sounds for a, b in zip(sounds[split], keys[split], strict=True)):
        assert sound | {"notes": key["notes"]} == key  # the bytes of the sound too
        for ours, theirs in zip(sound["notes"], key["notes"], strict=True):
            assert ours | {"offset_seconds": theirs["offset_seconds"]} == theirs
            if ours != theirs:
                assert ours["offset_seconds"] - ours["onset_seconds"] > 0.5
                held[round((theirs["offset_seconds"] - theirs["onset_seconds"]) * key["tempo"], 3)] += 1
    assert held == {0.05: 6, 0.1: 6, 0.15: 6}  # four pieces, two of them in two renditions


@pytest.mark.parametrize(("program", "end"), [(0, "keys"), (7, "keys"), (25, "sound"), (40, "sound")])
def test_where_the_notes_of_an_instrument_usually_end(program: int, end: str) -> None:
    voice = Voice(shipped_font(), "font", program)
    assert SynthesizedRows(0, (voice,), offsets="instrument").offsets_of(voice) == end
    assert SynthesizedRows(0, (voice,), offsets="sound").offsets_of(voice) == "sound"


def test_killed_and_resumed_is_the_bytes_of_an_unbroken_build(labels: Path, tmp_path: Path) -> None:
    options = {"labels": [str(labels)], "excerpt_seconds": 3.0, "augment": ["all"], "rows_per_shard": 2, "num_proc": 1}
    unbroken, out, script = tmp_path / "unbroken", tmp_path / "killed", tmp_path / "script.py"
    script.write_text(
        f"import sys\nsys.path[:0] = {[*sys.path]!r}\nfrom hfmusic.build import build\n"
        f"if __name__ == '__main__':\n    build('synthesized_instruments', {str(out)!r}, **{options!r})\n"
    )
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while not list(out.glob("data/*.parquet")):
        assert process.poll() is None and time.monotonic() < deadline, "the build to be killed made no shard"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / ".build").is_dir()
    build("synthesized_instruments", unbroken, **options)
    assert len(list(unbroken.glob("data/*.parquet"))) > 3
    build("synthesized_instruments", out, **options)
    assert content(out) == content(unbroken)


def items(labels: list[Path], **options: object) -> tuple[list[Row], Counter[str]]:
    dropped: Counter[str] = Counter()
    settings = SynthesizedSettings(tuple(map(str, labels)), **options)
    return list(synthesized_items(settings, settings.rows(), dropped)), dropped


def test_works_are_kept_apart_and_left_out(labels: Path, tmp_path: Path) -> None:
    for name in ("MAPS_MUS-chpn-p1_ENSTDkCl.flac", "scn15_01.tsv"):
        (tmp_path / name).write_bytes(b"")
    planned, dropped = items([labels], exclude_works=(str(tmp_path),), variations=1)
    assert {item["work"] for item in planned} == {"chpn-p3", "mz-331-1"} and dropped == {"excluded work": 2}
    assert all(item["split"] == split_of(item["work"]) for item in planned)


def test_splits_of_built_datasets_go_on(labels: Path, tmp_path: Path, by_hand: None) -> None:
    build("synthesized_instruments", tmp_path / "first", labels=[labels], num_proc=1)
    shutil.move(tmp_path / "first" / "data" / "train-00000-of-00001.parquet", tmp_path / "moved.parquet")
    shutil.copy(tmp_path / "moved.parquet", tmp_path / "first" / "data" / "test-00001-of-00001.parquet")
    shutil.copy(tmp_path / "moved.parquet", tmp_path / "first" / "data" / "train-00000-of-00001.parquet")
    by_work, _ = items([tmp_path / "first", labels])
    assert {item["split"] for item in by_work if item["work"] == "chpn-p1"} == {"test"}
    by_source, _ = items([tmp_path / "first"], splits="source")
    assert {item["split"] for item in by_source if item["work"] == "chpn-p1"} == {"train", "test"}
    only, _ = items([Path(f"{tmp_path / 'first'}:validation")])
    assert {item["work"] for item in only} == {"mz-331-1"}
    _, dropped = items([labels], exclude_works=(f"{tmp_path / 'first'}:test",))
    assert dropped == {"excluded work": 3}


def test_every_font_or_one(labels: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        shutil.copy(shipped_font(), tmp_path / name / "000.sf3")
    fonts = tuple(str(tmp_path / name) for name in ("one", "two"))
    each, _ = items([labels], fonts=fonts, each_font=True)
    assert Counter(item["voice"] for item in each) == {0: 4, 1: 4} and len({item["id"] for item in each}) == 8
    drawn, _ = items([labels], fonts=fonts, variations=3)
    assert {item["voice"] for item in drawn} == {0, 1}
    few, _ = items([labels, labels], fonts=fonts, n=2)
    assert len(few) == 2


def test_a_guitar_plays_what_it_has(labels: Path) -> None:
    planned, _ = items([labels], n=1)
    rows = SynthesizedSettings((str(labels),)).rows()
    item = planned[0] | {"notes": [[0.1, 0.5, 28, 80, 0.5], [0.6, 0.9, 100, 80, 0.9], [1.0, 1.5, 35, 80, 1.5]]}
    row = rows(item)
    assert [note["pitch_midi"] for note in row["notes"]] == [28, 100, 35] and row["transposition"] == 0
    with pytest.raises(ValueError, match="no note of it is in the compass"):
        rows(item | {"notes": []})
    assert instrument_name(24) == "guitar" and instrument_name(73) == "flute"


def test_audible_keys() -> None:
    with Synthesizer(shipped_font(), sampling_rate=16000) as synthesizer:
        assert set(range(21, 109)) <= set(synthesizer.audible_keys())


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({}, "synthesized_instruments needs labels"),
        ({"labels": []}, "labels must name a folder"),
        ({"labels": ["none"]}, "labels and works to leave out are folders, got none"),
        ({"labels": ["."], "augment": ["pitch"]}, "augment must be among tempo, .* got pitch"),
        ({"labels": ["."], "excerpt_seconds": 1.0}, "excerpt_seconds must be at least 2, got 1.0"),
        ({"labels": ["."], "splits": "official"}, "splits must be work or source, got 'official'"),
        ({"labels": ["."], "fonts": ["no such font"]}, "no SoundFont no such font"),
        ({"labels": ["."], "offsets": "pedal"}, "offsets must be one of sound, keys, instrument, got 'pedal'"),
        ({"labels": ["."], "variations": -1}, "variations must be at least 0, got -1"),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build("synthesized_instruments", tmp_path / "out", **options)


def test_nothing_to_play(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.mid").write_bytes(b"no MIDI")
    with pytest.raises(ValueError, match="nothing to play in labels"):
        build("synthesized_instruments", tmp_path / "out", labels=[tmp_path / "labels"])
    assert AUGMENTATIONS == ("tempo", "transpose", "velocity", "humanise", "room", "noise", "eq")
