"""A folder as PrIMuS has it, with its converter's own MIDI files: they are what is played."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import mido
import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from hfmusic.build import build
from hfmusic.symbolic.mei import read_mei
from hfmusic.symbolic.midi import midi_note_events
from hfmusic.symbolic.semantic import semantic_text, write_semantic

ONE_VOICE = ("000051650-1_1_1", "000051806-1_1_1", "000100970-2_1_1")


@pytest.fixture(scope="module")
def rows(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    folder, out = tmp_path_factory.mktemp("primus"), tmp_path_factory.mktemp("out") / "audio"
    for name in ONE_VOICE:
        given = data_dir / "primus" / "converter_samples" / "primus" / name / name
        (folder / name).mkdir()
        score = read_mei(given.with_suffix(".mei").read_text(encoding="utf-8"))
        (folder / name / f"{name}.semantic").write_text(semantic_text(write_semantic(score)))
        shutil.copy(given.with_suffix(".mid"), folder / name)
    build("primus_audio", out, data_dir=folder, num_proc=1)
    return {row["id"]: row for path in out.glob("data/*.parquet") for row in pq.read_table(path).to_pylist()}


def test_all_are_there(rows: dict[str, dict]) -> None:
    assert set(rows) == set(ONE_VOICE)


@pytest.mark.parametrize("name", ONE_VOICE)
def test_its_own_file_is_played(name: str, rows: dict[str, dict], data_dir: Path) -> None:
    midi = (data_dir / "primus" / "converter_samples" / "primus" / name / f"{name}.mid").read_bytes()
    assert rows[name]["midi"] == midi
    sound, rate = soundfile.read(io.BytesIO(rows[name]["audio"]["bytes"]))
    assert len(sound) / rate >= mido.MidiFile(file=io.BytesIO(midi)).length - 1e-3
    for event in midi_note_events(midi):
        if event.offset - event.onset < 1:
            continue
        part = sound[int((event.onset / 2 + 0.05) * rate) : int(event.offset / 2 * rate)]
        hertz = 440 * 2 ** ((event.pitch_midi - 69) / 12)
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 2**17))
        frequencies = np.fft.rfftfreq(2**17, 1 / rate)
        spectrum[(frequencies < hertz / 1.4) | (frequencies > hertz * 1.4)] = 0
        assert abs(12 * np.log2(frequencies[np.argmax(spectrum)] / hertz)) < 0.2
