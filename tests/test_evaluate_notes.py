"""The verb `evaluate` on recordings, with a transcriber that knows the answers."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from torch import nn

from hfmusic.evaluate import evaluate
from hfmusic.evaluate_notes import transcribe_split
from hfmusic.hub import Loaded
from hfmusic.metrics.notes import LEVELS, MEASURES
from hfmusic.models.note_decoding import NoteEvent

RATE = 16000
SECONDS = {"a": 1.0, "b": 2.0, "c": 3.0}


class Network(nn.Module):
    name_or_path = "knows"


class Knows:
    """A processor that tells notes of a recording by its length."""

    modalities = ("audio",)
    sampling_rate = RATE

    def __init__(self, answers: dict[float, list[NoteEvent]]) -> None:
        self.answers = answers

    def transcribe(self, model: Any, sound: np.ndarray) -> list[NoteEvent]:
        assert sound.dtype == np.float32
        return self.answers[round(len(sound) / RATE, 1)]


def knows(**answers: list[NoteEvent]) -> Loaded:
    return Loaded(Network(), Knows({SECONDS[name]: notes for name, notes in answers.items()}))  # type: ignore[arg-type]


ALL = [NoteEvent(0.1, 0.5, 60, 40), NoteEvent(0.5, 0.9, 64, 90)]
HALF = [NoteEvent(0.14, 0.5, 60, 40)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings of 1, 2 and 3 s with the notes `ALL`, in the layout of MAPS."""
    folder = tmp_path / "tunes"
    folder.mkdir()
    table = "# onset,offset,note,velocity\n" + "".join("\t".join(map(str, note)) + "\n" for note in ALL)
    for name, seconds in SECONDS.items():
        sound = io.BytesIO()
        soundfile.write(sound, np.zeros((int(48000 * seconds), 2)), 48000, format="FLAC")
        (folder / f"{name}.flac").write_bytes(sound.getvalue())
        (folder / f"{name}.tsv").write_text(table, encoding="utf-8")
    return folder


def test_rows_are_means_over_tracks(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = evaluate(knows(a=ALL, b=HALF, c=[]), folder, out=folder / "metrics.json")
    values = {row["metric"]: row["value"] for row in rows}
    assert list(values) == [f"{level}_{measure}" for level in LEVELS for measure in MEASURES]
    assert values["note_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert values["note_precision"] == pytest.approx(2 / 3) and values["note_recall"] == pytest.approx(1.5 / 3)
    about = {"unit": "1", "dataset": "tunes", "split": "test", "n": 3, "scale": "full", "seed": 0, "model": "knows"}
    for row in rows:
        assert about.items() <= row.items() and row["version"] and len(row["date"]) == 10
        assert row["command"] == f"hfmusic evaluate knows {folder} --split test --seed 0"
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8")) == rows
    table = capsys.readouterr().err
    assert "6 s of sound in" in table
    lines = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line.strip()}
    assert lines["b"][:2] == ["2", "1"] and "0.6667" in lines["b"] and lines["mean"][3] == "0.5556"


def test_a_sample_is_drawn_with_the_seed(folder: Path) -> None:
    answers = dict.fromkeys(SECONDS, ALL)
    reports = [transcribe_split(knows(**answers), folder, n=2, seed=seed) for seed in (0, 0, 1, 2, 3)]
    drawn = [tuple(track.id for track in report.tracks) for report in reports]
    assert drawn[0] == drawn[1] and len(set(drawn)) > 1 and all(len(ids) == 2 for ids in drawn)
    rows = evaluate(knows(**answers), folder, n=2, seed=7)
    assert rows[0]["scale"] == "2 of 3 recordings" and "--n 2 --seed 7" in rows[0]["command"]


def test_a_recording_that_cannot_be_opened_counts_as_heard_empty(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "c.flac").write_bytes(b"no sound at all")
    rows = evaluate(knows(a=ALL, b=ALL), folder)
    assert {row["metric"]: row["value"] for row in rows}["note_f1"] == pytest.approx(2 / 3)
    assert "not heard: c: c: " in capsys.readouterr().err


def test_what_it_does_not_take(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hears recordings in one way, got image None and method beam"):
        evaluate(knows(), folder, method="beam")
    with pytest.raises(ValueError, match="got image distorted"):
        evaluate(knows(), folder, image="distorted")
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        evaluate(knows(), folder, n=0)
    with pytest.raises(ValueError, match="nothing"):
        evaluate(knows(), tmp_path / "nothing")


def test_a_saved_transcriber_is_loaded_and_measured_by_the_command(folder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from hfmusic.cli import app
    from hfmusic.hub import load
    from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
    from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
    from hfmusic.models.processing_unet_transcriber import TranscriberProcessor

    config = UNetTranscriberConfig.recommended(channels=[4, 4], blocks=[1, 1], hidden_size=4)
    place = tmp_path / "model"
    UNetTranscriber(config).save_pretrained(place)
    TranscriberProcessor.for_config(config).save_pretrained(place)
    loaded = load(str(place))
    assert type(loaded.model).__name__ == "UNetTranscriber" and not loaded.model.training
    run = CliRunner().invoke(app, ["evaluate", str(place), str(folder), "--n", "1", "-o", str(tmp_path / "rows.json")])
    assert run.exit_code == 0, run.output
    assert "note_f1 0.0000 (tunes, test, n=1)" in run.output
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert rows[0]["model"] == str(place) and rows[0]["command"].startswith(f"hfmusic evaluate {place} ")
