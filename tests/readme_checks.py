"""What is to be true after the blocks of each section of README.md were carried out."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import music21
import numpy as np
from PIL import Image

import hfmusic
from hfmusic.data.corpora import rism_tunes
from hfmusic.metrics.notes import note_scores
from hfmusic.metrics.sequence import edit_distance
from hfmusic.symbolic.midi import note_events
from hfmusic.symbolic.musicxml import read_musicxml
from hfmusic.symbolic.performance import read_performance
from hfmusic.symbolic.score import Score
from hfmusic.symbolic.semantic import read_semantic, split_tokens

from .readme_material import EXAMPLES, SONG

PHOTO = "rism-402004465-1_2_1"  # what examples/make_staves.py drew photograph_small.jpg of


@dataclass
class Told:
    """What was carried out gave: `lines` stdout by command, `values` of Python's bare expressions by their text."""

    folder: Path
    names: dict[str, Any]
    lines: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


def pitches(score: Score | Path) -> list[int]:
    score = read_musicxml(score) if isinstance(score, Path) else score
    return [event.pitch_midi for event in note_events(score)]


def error(found: list[int], wanted: list[int]) -> float:
    return edit_distance(found, wanted) / len(wanted)


def photographed() -> list[int]:
    return pitches(next(tune.score for tune in rism_tunes() if tune.id == PHOTO))


def note_f1(notes: Any, first: float = 0.0, last: float = 1000.0) -> float:
    """Of what was heard, against the song from one second to another."""
    wanted = [
        note._replace(onset_seconds=note.onset_seconds - first, offset_seconds=note.offset_seconds - first)
        for note in SONG
        if first <= note.onset_seconds < last
    ]
    return note_scores(wanted, notes)["note_f1"]


def check_start(told: Told) -> None:
    wanted = photographed()
    assert error(pitches(told.folder / "photo.musicxml"), wanted) < 0.05
    assert error(pitches(told.folder / "melody.musicxml"), wanted) < 0.2
    assert note_f1(read_performance((told.folder / "song.mid").read_bytes())) > 0.7
    assert pitches(told.names["score"]) == pitches(told.folder / "photo.musicxml")
    assert "<score-partwise" in told.names["melody"]
    notes = music21.converter.parse(told.folder / "photo.musicxml").flatten().notes
    assert error([note.pitch.midi for note in notes], wanted) < 0.05


def check_readings(told: Told) -> None:
    folder, wanted = told.folder, split_tokens((EXAMPLES / "pages" / "melody.semantic").read_text())
    for name in ("engraved", "scan_warped"):
        assert split_tokens((folder / "read" / f"{name}.semantic").read_text())[0].startswith("clef-")
        assert Image.open(folder / "read" / f"{name}.png").width > 500
    assert error(pitches(folder / "page.musicxml"), pitches(read_semantic(wanted))) < 0.05
    assert error(pitches(folder / "staff.musicxml"), photographed()) < 0.05
    assert note_f1(read_performance((folder / "song.mid").read_bytes()), 60, 90) > 0.6
    times = [float(row["onset_seconds"]) for row in csv.DictReader((folder / "song.csv").read_text().splitlines())]
    assert min(times) >= 60 and 85 < max(times) < 90
    assert (folder / "song.roll.png").is_file() and (folder / "song.transcribed.wav").is_file()
    assert list((folder / "exported").glob("*.onnx"))
    read, heard = (value for text, value in told.values.items() if text.startswith("pipeline("))
    assert len(read["tokens"]) > 20 and len(heard["tokens"]) > 10
    assert type(told.names["model"]).__name__ == "R2CRNNForCTC" and told.names["processor"].encoding == "semantic"


def check_song(told: Told) -> None:
    assert note_f1(told.names["song"].notes) > 0.7 and len(told.names["song"].beats.times) > 100


def check_found(told: Told) -> None:
    first = [out.splitlines()[1] for text, out in told.lines.items() if text.startswith("hfmusic find")]
    assert "Beta" in first[-2] and "song" in first[-1]
    assert Image.open(told.folder / "recording.find.png").width > 300
    assert note_f1(read_performance((told.folder / "song.mid").read_bytes()), 0, 15) > 0.5
    rows = list(csv.DictReader((told.folder / "recording.align.csv").read_text().splitlines()))
    wrong = [abs(float(row["audio_seconds"]) - float(row["quarter"]) / 2) for row in rows]
    assert len(rows) == 48 and np.median(wrong) < 0.1


def check_corrected(told: Told) -> None:
    assert pitches(told.folder / "corrected" / "photo.musicxml") == pitches(told.folder / "photo.musicxml")
    assert Image.open(told.folder / "corrected" / "photo.png").height > 60
    assert Image.open(told.folder / "photo.overlay.png").width > 500


def rows_in(folder: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((folder / "build.json").read_text())["summary"]["rows"]
    return found


def check_data(told: Told) -> None:
    dist = told.folder / "dist"
    assert {split: len(part) for split, part in told.names["staves"].items()} == rows_in(dist / "primus")
    assert told.names["staves"]["train"][0]["semantic"].startswith("clef-")
    counts = {"genuine": 1, "guitarset": 5, "maps": 7, "primus": 6, "primus-audio": 3, "sheet-audio": 2, "sounds": 3}
    assert {name: sum(rows_in(dist / name).values()) for name in counts} == counts
    assert sum(rows_in(dist / "synthesized").values()) > 6  # excerpts of three pieces


def check_training(told: Told) -> None:
    run_folder = told.folder / "runs" / "crnn_omr"
    assert (run_folder / "checkpoint-00000003").is_dir() and (run_folder / "model" / "model.safetensors").is_file()
    rows = json.loads((told.folder / "metrics.json").read_text())
    assert {row["metric"] for row in rows} >= {"symbol_error_rate"} and rows[0]["n"] > 1


def check_published(told: Told) -> None:
    listed, sent = (out for text, out in told.lines.items() if text.startswith("hfmusic publish"))
    assert "would go up" in listed and "model.safetensors" in listed and "/you/your-model (" in sent
    assert "photo.jpg" in told.lines["hfmusic transcribe photo.jpg --model you/your-model"]
    read = hfmusic.transcribe(told.folder / "photo.jpg", str(told.folder / "your-model")).score
    assert pitches(told.folder / "photo.musicxml") == pitches(read)  # by the model from the Hub, and by the folder's
    rows = json.loads((told.folder / "your-model" / "metrics.json").read_text())
    rate = next(row["value"] for row in rows if row["metric"] == "symbol_error_rate")
    assert f"| {rate:.2f} % |" in (told.folder / "your-model" / "README.md").read_text()


def check_papers(told: Told) -> None:
    cells = {text.split()[2]: out for text, out in told.lines.items() if "--dry-run" in text and "reproduce" in text}
    for paper, cell in {"smc2022": "a2i-55", "r2crnn": "r2crnn-semantic-clean", "les2023": "synthesized-maps"}.items():
        assert cell in cells[paper]
    for paper in ("dorfer2017", "dias2018"):
        assert re.search(r"[1-9]\d* cells, ", cells[paper])
    results = json.loads((told.folder / "runs" / "smc2022-small" / "results.json").read_text())
    assert list(results["cells"]) == ["omr"] and results["staves"]["train"] > 1


# In README's order.
CHECKS: dict[str, Callable[[Told], None]] = {
    "Quick start": check_start,
    "Pictures and recordings": check_readings,
    "All notes of a recording": check_song,
    "Find the score, follow the score": check_found,
    "Why did it read that?": check_corrected,
    "In the browser": lambda told: None,
    "Data": check_data,
    "Train, fine-tune, publish": check_training,
    "On your own data": check_published,
    "The papers' tables": check_papers,
}
