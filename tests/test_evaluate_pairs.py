"""The verb `evaluate` on renditions, with a stand-in that reads codes from pictures and sounds, and a saved model."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hfmusic.embed_pairs import Excerpts, PairEmbedder, Pairs, embed_split, evenly, follow_split, unique_pairs
from hfmusic.evaluate import evaluate
from hfmusic.evaluate_pairs import evaluate_pairs, identify, measure_split
from hfmusic.hub import Loaded
from hfmusic.testing.coded_sheets import RATE, write_coded_sheets

PIECES, NOTES = 6, 12


class Reader:
    """A processor: the spectrogram's one band is the loudness of a frame, in codes."""

    sampling_rate, frame_rate, frames = RATE, 20.0, 8
    image_height, image_width, image_scale = 40, 20, 1.0
    fitted_height = None

    def spectrogram(self, sound: np.ndarray) -> np.ndarray:
        hop = int(self.sampling_rate / self.frame_rate)
        frames = sound[: len(sound) // hop * hop].reshape(-1, hop)
        return (256 * np.sqrt(2 * np.mean(frames**2, axis=1)))[:, None].astype(np.float32)

    def front_end(self) -> Any:
        return SimpleNamespace(frame_of=lambda seconds: int(np.ceil(seconds * self.frame_rate - 1e-6)))

    def excerpts(self, spectrogram: np.ndarray, times: np.ndarray) -> np.ndarray:
        middles = [min(self.front_end().frame_of(float(at)), len(spectrogram) - 1) for at in times]
        padded = np.pad(spectrogram, ((self.frames, self.frames), (0, 0)))
        starts = [middle + self.frames - self.frames // 2 for middle in middles]
        return np.stack([padded[start : start + self.frames] for start in starts])[:, None]

    def snippets(self, row: np.ndarray, xs: np.ndarray) -> np.ndarray:
        padded = np.pad(row, ((0, 0), (20, 20)), constant_values=255)
        starts = [int(x) + 20 - 10 for x in xs]
        return np.stack([padded[:, start : start + 20] for start in starts])[:, None].astype(np.float32)


class Network:
    """Codes in the middle of what it is given, as angles; `shift` makes it hear other notes."""

    name_or_path = "reads"
    device = torch.device("cpu")
    config = SimpleNamespace(embedding_size=2)

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift

    def get_audio_features(self, features: torch.Tensor) -> torch.Tensor:
        return self._vectors(features[:, 0, 4, 0] + self.shift)

    def get_score_features(self, pixels: torch.Tensor) -> torch.Tensor:
        return self._vectors(pixels[:, 0, 20, 10])

    @staticmethod
    def _vectors(codes: torch.Tensor) -> torch.Tensor:
        angles = codes.double() / 256 * np.pi
        return torch.stack([angles.cos(), angles.sin()], dim=1)


def reads(shift: float = 0.0) -> Loaded:
    return Loaded(Network(shift), Reader())  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_coded_sheets(tmp_path_factory.mktemp("sets") / "sheets", {"test": PIECES}, notes=NOTES)


def test_who_reads_all_is_right_everywhere(folder: Path) -> None:
    report = measure_split(reads(), folder, followed=2)
    assert report.pairs == report.unique == PIECES * NOTES and report.pieces == PIECES
    for scores in report.retrieval.values():
        assert scores["r@1"] == 1 and scores["median_rank"] == 1 and scores["candidates"] == PIECES * NOTES
    assert all(ranks.shape == (PIECES,) and ranks.max() <= 2 for ranks in report.ranks.values())
    followed = report.alignment
    assert followed["dtw"]["median"] < 0.03 < followed["linear"]["median"] < 1.5
    assert followed["free"]["median"] < 0.03
    assert followed["ends"]["median"] > 0.1 and followed["dtw"]["pieces"] == 2


def test_who_hears_the_wrong_notes_is_wrong(folder: Path) -> None:
    report = measure_split(reads(shift=30), folder, n=30, followed=0)
    scores = report.retrieval["audio_to_sheet"]
    assert scores["r@1"] < 0.1 and scores["candidates"] == 30 and scores["chance_r@25"] == 25 / 30
    assert (report.ranks["recording"] > 1).mean() > 0.5 and report.alignment == {}


def test_rows_say_candidates_and_chance(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = evaluate(reads(), folder, n=20, out=tmp_path / "metrics.json", seed=3)
    by_name = {row["metric"]: row for row in rows}
    row = by_name["sheet_to_audio_r@1"]
    assert (row["value"], row["chance"], row["candidates"], row["n"], row["unit"]) == (1.0, 1 / 20, 20, 20, "1")
    assert row["scale"] == f"20 of {PIECES * NOTES} different pairs" and row["model"] == "reads"
    assert row["command"] == f"hfmusic evaluate reads {folder} --split test --n 20 --seed 3"
    assert by_name["audio_to_sheet_median_rank"]["unit"] == "rank"
    assert by_name["identify_part_r@1"]["chance"] == 1 / PIECES
    assert by_name["align_dtw_median"]["scale"] == f"{PIECES} of {PIECES} renditions"
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8")) == rows
    assert by_name["identify_recording_in_line_r@1"]["value"] >= by_name["identify_recording_r@1"]["value"]
    table = capsys.readouterr().err
    assert (
        f"whole recordings, by votes: of {PIECES} among {PIECES} pieces 4 at rank 1, 2 at rank 2, 0 at rank 3" in table
    )
    assert "chance of 20" in table and "alignment error (dtw): median 0.0" in table


def test_a_rendition_more_of_a_piece_adds_no_candidates(tmp_path: Path) -> None:
    pair = (("one", 1.0), ("second", 0.9))
    folder = write_coded_sheets(tmp_path, {"train": 2}, notes=NOTES, renditions=pair)
    pairs = embed_split(PairEmbedder(reads()), folder, "train")
    assert [one.id for one in pairs] == ["train0-one-1", "train0-second-0.9", "train1-one-1", "train1-second-0.9"]
    assert {number for number, _ in unique_pairs(pairs)} == {0, 2}
    ranks, pieces = identify(pairs, neighbours=5)
    assert pieces == 2 and ranks["recording"].tolist() == [1, 1, 1, 1]
    assert [one.id for one in follow_split(PairEmbedder(reads()), folder, "train", count=2)] == [
        "train0-one-1",
        "train1-second-0.9",
    ]


def test_votes_by_hand() -> None:
    def piece(name: str, score: list[list[float]], query: list[list[float]]) -> Pairs:
        rows, asked = np.array(score, np.float32).reshape(-1, 2), np.array(query, np.float32)
        keys, seconds = np.zeros((len(rows), 3), np.int64), np.arange(len(asked), dtype=np.float64)
        recording, part = Excerpts(asked, seconds), Excerpts(asked[:1], seconds[:1])
        return Pairs(name, name, rows, rows, np.arange(len(rows)), keys, recording=recording, part=part)

    pieces = [
        piece("a", [[1, 0], [0.9, 0.1]], [[1, 0.1], [0, 1], [0.1, 1]]),
        piece("b", [[0, 1], [-1, 0]], [[1, 0], [0, 1]]),
        piece("c", [], [[1, 0]]),
    ]
    ranks, count = identify(pieces, neighbours=1)
    assert count == 2
    # a: one vote for itself, two for b; b: one each, a tie counts against it; c has nothing in the index
    assert ranks["recording"].tolist() == [2, 2, 3] and ranks["part"].tolist() == [1, 2, 3]


def test_matches_in_line_part_what_votes_do_not() -> None:
    """Two pieces of the same sounds, one in the order that is played: votes are even, only one has a line."""
    angles = np.linspace(0, 3, 20)
    sounds = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    query = Excerpts(sounds, np.arange(20, dtype=np.float64))
    order = np.random.default_rng(0).permutation(20)

    def piece(name: str, quarters: np.ndarray) -> Pairs:
        keys = np.zeros((20, 3), np.int64)
        return Pairs(name, name, sounds, sounds, quarters.astype(np.float64), keys, recording=query, part=query)

    ranks, _ = identify([piece("played", np.arange(20)), piece("shuffled", order)], neighbours=2)
    assert ranks["recording"].tolist() == [2, 2] and ranks["recording_in_line"].tolist() == [1, 2]


def test_what_it_does_not_take(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compares audio and scores in one way, got image None and method beam"):
        evaluate(reads(), folder, method="beam")
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        evaluate_pairs(reads(), folder, n=0)
    with pytest.raises(ValueError, match="train"):
        evaluate_pairs(reads(), folder, split="train")
    assert evenly(5, 1).tolist() == [0]


def test_a_saved_model_is_loaded_and_measured_by_the_command(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from hfmusic.cli import app
    from hfmusic.models.configuration_audio_score import AudioScoreConfig
    from hfmusic.models.modeling_audio_score import AudioScoreModel
    from hfmusic.models.processing_audio_score import AudioScoreProcessor

    folder = write_coded_sheets(tmp_path / "sheets", {"test": 2}, notes=6)
    tower = {"channels": [2, 2], "pools": [[2, 2], [2, 2]], "convolutions": [1, 1]}
    sizes = {"frames": 8, "image_height": 40, "image_width": 40, "image_scale": 0.5, "embedding_size": 4}
    config = AudioScoreConfig.recommended(audio_tower=tower, score_tower=tower, **sizes)
    place = tmp_path / "model"
    AudioScoreModel(config).save_pretrained(place)
    AudioScoreProcessor.for_config(config).save_pretrained(place)
    run = CliRunner().invoke(app, ["evaluate", str(place), str(folder), "--n", "5", "-o", str(tmp_path / "rows.json")])
    assert run.exit_code == 0, run.output
    assert "audio_to_sheet_mrr" in run.output and "(sheets, test, n=5)" in run.output
    rows = json.loads((tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert rows[0]["model"] == str(place) and all(np.isfinite(row["value"]) for row in rows)
