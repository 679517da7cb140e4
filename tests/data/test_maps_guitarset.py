"""`hfmusic build maps | guitarset`: the archives' layouts, splits without a composition on both sides, whole builds."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections import defaultdict
from pathlib import Path

import datasets
import mido
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from hfmusic.build import build
from hfmusic.data.recordings import read_recordings
from hfmusic.data.shards import Row

WORKS = ("chpn-p1", "chpn-p2", "mz_331_1", "mz_331_2", "scn15_1", "bach_846")
TSV = "0.010000\t0.050000\t60.000000\t80.000000\n"


def sound_bytes(rate: int, channels: int = 1, kind: str = "WAV", loudness: float = 0.4) -> bytes:
    tone = np.sin(np.arange(rate // 10) * 2 * np.pi * 440 / rate) * loudness
    file = io.BytesIO()
    soundfile.write(file, np.repeat(tone[:, None], channels, 1).astype(np.float32), rate, format=kind)
    return file.getvalue()


def midi_bytes(pedal: int = 0) -> bytes:
    """A note of 40 ms, sustained for 20 ms more by a pedal that is pressed so far."""
    file = mido.MidiFile(ticks_per_beat=500)
    track = mido.MidiTrack([mido.Message("control_change", control=64, value=pedal)])
    track.append(mido.Message("note_on", note=60, velocity=80, time=10))
    track.append(mido.Message("note_off", note=60, time=40))
    track.append(mido.Message("control_change", control=64, value=0, time=20))
    file.tracks.append(track)
    out = io.BytesIO()
    file.save(file=out)
    return out.getvalue()


def write_maps(folder: Path) -> Path:
    """MAPS as its authors give it: one piano packed, one unpacked, and the Disklavier as FLAC and TSV."""
    (folder / "StbgTGd2" / "MUS").mkdir(parents=True)
    (folder / "flac").mkdir()
    (folder / "tsv").mkdir()
    with zipfile.ZipFile(folder / "MAPS_AkPnBcht_1.zip", "w") as archive:
        for work in WORKS[:3]:
            stem = f"AkPnBcht/MUS/MAPS_MUS-{work}_AkPnBcht"
            archive.writestr(f"{stem}.wav", sound_bytes(44100, 2))
            archive.writestr(f"{stem}.mid", midi_bytes())
            archive.writestr(f"{stem}.txt", "OnsetTime\tOffsetTime\tMidiPitch\n0.01\t0.02\t61\n")
        archive.writestr("AkPnBcht/ISOL/NO/MAPS_ISOL_NO_F_S0_M23_AkPnBcht.wav", sound_bytes(44100, 2))
        archive.writestr("AkPnBcht/ISOL/NO/MAPS_ISOL_NO_F_S0_M23_AkPnBcht.txt", "0.01\t0.02\t23\n")
    for work in WORKS[2:5]:
        stem = folder / "StbgTGd2" / "MUS" / f"MAPS_MUS-{work}_StbgTGd2"
        stem.with_suffix(".wav").write_bytes(sound_bytes(44100, 2))
        stem.with_suffix(".mid").write_bytes(midi_bytes())
    for work in (WORKS[0], WORKS[5]):
        (folder / "flac" / f"MAPS_MUS-{work}_ENSTDkCl.flac").write_bytes(sound_bytes(16000, 1, "FLAC"))
        (folder / "tsv" / f"MAPS_MUS-{work}_ENSTDkCl.tsv").write_text(TSV)
    return folder


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    return write_maps(tmp_path / "maps")


def rows_of(folder: Path) -> dict[str, list[Row]]:
    found = defaultdict(list)
    for path in sorted(folder.glob("data/*.parquet")):
        found[path.name.split("-")[0]] += pq.read_table(path).to_pylist()
    return found


def test_maps(maps: Path, tmp_path: Path) -> None:
    summary = build("maps", tmp_path / "out", data_dir=maps, num_proc=1)
    assert summary["rows"] == {"train": 4, "validation": 1, "test": 2} and summary["failed"] == 0
    assert summary["dropped"] == {"its composition is tested on": 1}
    rows = rows_of(tmp_path / "out")
    works = {split: {row["work"] for row in part} for split, part in rows.items()}
    assert works["test"] == {"chpn-p1", "bach-846"}
    assert not works["train"] & works["test"] and not works["validation"] & (works["train"] | works["test"])
    flac = next(row for row in rows["test"] if row["work"] == "bach-846")
    assert flac["audio"]["bytes"] == sound_bytes(16000, 1, "FLAC")  # what is right already stays
    wav = rows["train"][0]
    info = soundfile.info(io.BytesIO(wav["audio"]["bytes"]))
    assert (info.format, info.samplerate, info.channels, info.subtype) == ("FLAC", 16000, 1, "PCM_16")
    assert wav["seconds"] == pytest.approx(0.1, abs=1e-3) and wav["program"] == -1 and wav["instrument"] == "piano"
    (note,) = wav["notes"]  # of the .mid, not the .txt
    assert (note["pitch_midi"], note["velocity"], note["string"]) == (60, 80, 0)
    assert note["onset_seconds"] == pytest.approx(0.01) and note["offset_seconds"] == pytest.approx(0.05)


def test_the_paper_trains_on_tested_compositions(maps: Path, tmp_path: Path) -> None:
    options = {"data_dir": maps, "num_proc": 1, "sampling_rate": 22050}
    summary = build("maps", tmp_path / "out", protocol="paper", **options)
    assert summary["rows"] == {"train": 6, "validation": 2, "test": 2}
    rows = rows_of(tmp_path / "out")
    assert {row["id"] for row in rows["validation"]} == {row["id"] for row in rows["test"]}
    assert soundfile.info(io.BytesIO(rows["test"][0]["audio"]["bytes"])).samplerate == 22050
    loaded = datasets.load_dataset(str(tmp_path / "out"), split="test", cache_dir=str(tmp_path / "cache"))
    assert loaded.features["audio"] == datasets.Audio(sampling_rate=22050)
    assert loaded[0]["notes"][0]["pitch_midi"] == 60 and len(loaded[0]["audio"]["array"]) == 2205


@pytest.mark.parametrize(("offsets", "end"), [("sound", 0.07), ("keys", 0.05)])
def test_where_notes_under_the_pedal_end(maps: Path, tmp_path: Path, offsets: str, end: float) -> None:
    for path in maps.rglob("*.mid"):
        path.write_bytes(midi_bytes(pedal=127))
    build("maps", tmp_path / "out", data_dir=maps, num_proc=1, test_pianos=["StbgTGd2", "ENSTDkCl"], offsets=offsets)
    rows = {row["id"]: row["notes"][0] for row in rows_of(tmp_path / "out")["test"]}
    assert rows["MAPS_MUS-scn15_1_StbgTGd2"]["offset_seconds"] == pytest.approx(end)
    assert rows["MAPS_MUS-bach_846_ENSTDkCl"]["offset_seconds"] == 0.05  # of the .tsv
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"offsets {offsets}" in card and ("where its key is let go" in card) == (offsets == "keys")


def test_it_is_read_as_recordings(maps: Path, tmp_path: Path) -> None:
    build("maps", tmp_path / "out", data_dir=maps, num_proc=1)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "CC BY-NC-SA" in card and "16,000 Hz" in card
    assert str(maps) not in card + (tmp_path / "out" / "build.json").read_text()
    built = {recording.id: recording for recording in read_recordings(tmp_path / "out", "test")}
    plain = {recording.id: recording for recording in read_recordings(maps)}
    assert len(plain) == 9 and all(plain[name].notes == recording.notes for name, recording in built.items())


def test_maps_of_another_test_piano(maps: Path, tmp_path: Path) -> None:
    build("maps", tmp_path / "out", data_dir=maps, num_proc=1, test_pianos=["AkPnBcht"])
    assert {row["work"] for row in rows_of(tmp_path / "out")["test"]} == {"chpn-p1", "chpn-p2", "mz-331-1"}


def test_a_damaged_recording_costs_itself_alone(maps: Path, tmp_path: Path) -> None:
    (maps / "flac" / "MAPS_MUS-bach_846_ENSTDkCl.flac").write_bytes(sound_bytes(16000, 1, "FLAC")[:200])
    summary = build("maps", tmp_path / "out", data_dir=maps, num_proc=1)
    assert summary["rows"]["test"] == 1 and summary["failed"] == 1
    (failed,) = map(json.loads, (tmp_path / "out" / "failed.jsonl").read_text().splitlines())
    assert failed["id"] == "MAPS_MUS-bach_846_ENSTDkCl" and "bach_846" in failed["error"]


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("maps", {}, "maps needs data_dir"),
        ("maps", {"data_dir": "none"}, "a folder wanted, got none"),
        ("maps", {"data_dir": ".", "protocol": "fair"}, "protocol must be one of leak-free, paper, got 'fair'"),
        ("maps", {"data_dir": ".", "test_pianos": ["Bechstein"]}, "test_pianos must be among AkPnBcht.* got Bechstein"),
        ("maps", {"data_dir": ".", "offsets": "pedal"}, "offsets must be one of sound, keys, got 'pedal'"),
        ("maps", {"data_dir": ".", "fonts": ["a"]}, "maps has no option fonts"),
        ("guitarset", {"data_dir": ".", "sound": "loud"}, "sound must be one of mic, hex, hex_cln, mix, got 'loud'"),
    ],
)
def test_bad_options(tmp_path: Path, name: str, options: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build(name, tmp_path / "out", **options)


def test_nothing_there(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, match in (("maps", "no MAPS_MUS-PIECE_PIANO sounds"), ("guitarset", "no .jams files with sounds")):
        with pytest.raises(ValueError, match=match):
            build(name, tmp_path / f"out-{name}", data_dir=tmp_path / "data")


def jams_text() -> str:
    entry = {"time": 0.02, "duration": 0.05, "value": 64.3, "confidence": None}
    string = {"namespace": "note_midi", "annotation_metadata": {"data_source": "5"}, "data": [entry]}
    return json.dumps({"annotations": [string]})


def write_guitarset(folder: Path) -> Path:
    """GuitarSet: annotations packed, a microphone unpacked, and of one recording the pickup's six channels."""
    for part in ("audio_mic", "audio_hex"):
        (folder / part).mkdir(parents=True)
    names = ["00_BN1-129-Eb_comp", "01_BN1-147-Gb_solo", "00_BN3-119-G_comp", "04_Funk2-108-Eb_solo"]
    with zipfile.ZipFile(folder / "annotation.zip", "w") as archive:
        for name in [*names, "05_SS1-68-E_comp", "02_Jazz1-130-D_comp"]:
            archive.writestr(f"{name}.jams", jams_text())
    for name in names:
        (folder / "audio_mic" / f"{name}_mic.wav").write_bytes(sound_bytes(44100))
    (folder / "audio_hex" / "05_SS1-68-E_comp_hex.wav").write_bytes(sound_bytes(44100, 6))
    (folder / "audio_mic" / "02_Jazz1-130-D_comp_mic.wav").write_bytes(sound_bytes(44100, 1, loudness=0.0))
    return folder


@pytest.fixture
def guitarset(tmp_path: Path) -> Path:
    return write_guitarset(tmp_path / "guitarset")


def test_guitarset(guitarset: Path, tmp_path: Path) -> None:
    summary = build("guitarset", tmp_path / "out", data_dir=guitarset, num_proc=1)
    assert summary["rows"] == {"train": 2, "validation": 2, "test": 1}
    (failed,) = map(json.loads, (tmp_path / "out" / "failed.jsonl").read_text().splitlines())
    assert failed["id"] == "02_Jazz1-130-D_comp" and "is silent" in failed["error"]
    rows = rows_of(tmp_path / "out")
    assert {row["work"] for row in rows["train"]} == {"guitarset-bn1"}
    assert rows["test"][0]["notes"] == [
        {"onset_seconds": 0.02, "offset_seconds": pytest.approx(0.07), "pitch_midi": 64, "velocity": 64, "string": 1}
    ]
    hexaphonic = next(row for row in rows["validation"] if row["id"] == "05_SS1-68-E_comp")
    assert soundfile.info(io.BytesIO(hexaphonic["audio"]["bytes"])).channels == 1
    assert "velocities are not annotated" in (tmp_path / "out" / "README.md").read_text()
    shutil.rmtree(tmp_path / "out")
    assert sum(build("guitarset", tmp_path / "out", data_dir=guitarset, sound="hex")["rows"].values()) == 1
