"""The verb `evaluate` on piano rolls, by the energies of keys, by tables made by hand, and by a saved model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hfmusic.embed_rolls import RollPairs, embed_rolls
from hfmusic.evaluate_rolls import evaluate_rolls, measure_rolls, overlap_scores, report_rows, report_table
from hfmusic.hearing.roll_space import KeysSpace
from hfmusic.roll_embedding import RollEmbedder
from hfmusic.testing.recordings import write_recordings


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("rolls"), train=1, other=2, seconds=6.0, source="")


def table(audio: list[list[float]], works: list[str]) -> RollPairs:
    """Four rolls of eight cells: 1 and 2 share half of theirs, 3 and 4 nothing."""
    rolls = np.packbits([[1, 1, 0, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0], [0] * 7 + [1]])
    composers = np.array(["a", "a", "b", "b"])
    names = np.array(works), composers
    score = np.eye(4, dtype=np.float32)
    return RollPairs(np.array(audio, np.float32), score, rolls.reshape(4, 1), *names, windows=9, unique=5)


def test_overlap_by_hand() -> None:
    nearly = table([[1, 0.9, 0, 0], [0.9, 1, 0, 0], [0.1, 0, 1, 0], [0, 0, 0.2, 0.1]], ["v", "v", "w", "w"])
    scores = overlap_scores(nearly)
    # found: 1, 2, 3, 3: five cells of six are right, one is missed and one added
    assert scores[""]["tm"] == pytest.approx(5 / 7)
    # without the right roll: 2, 1, 1, 3: a cell each of the first two; 1 + 1 + 1 + 2 + ... are wrong
    assert scores["_without_roll"]["tm"] == pytest.approx(2 / (2 + 2 + 2 + 3 + 2))
    assert scores["_without_work"]["tm"] == 0
    # the best there is: 2, 1, and for 3 and 4 any, of which the first is taken
    assert scores["_without_roll_best"]["tm"] == pytest.approx(2 / (2 + 2 + 2 + 3 + 2 + 1))
    assert not any(base.startswith("_of_all") for base in scores)
    alone = overlap_scores(table([[1, 0, 0, 0]] * 4, ["v"] * 4))
    assert "_without_work" not in alone and alone["chance"]["tm"] < 1


def test_rows_and_table(capsys: pytest.CaptureFixture[str]) -> None:
    from hfmusic.evaluate_rolls import roll_report

    report = roll_report(table(np.eye(4).tolist(), ["v", "v", "w", "x"]))
    rows = {row["metric"]: row for row in report_rows(report)}
    assert (rows["audio_to_roll_r@1"]["value"], rows["audio_to_roll_r@1"]["chance"]) == (1, 0.25)
    assert (
        rows["tm"]["value"] == 1 and rows["tm"]["candidates"] == 4 and rows["tm"]["scale"] == "4 of 5 different rolls"
    )
    assert rows["audio_to_roll_mrr_b"]["n"] == 2 and rows["roll_to_audio_median_rank"]["unit"] == "rank"
    text = report_table(report)
    assert "9 windows, 5 different rolls" in text and "chance of 4" in text and "b: R@1 1.0000, MRR 1.0000 of 2" in text


def test_candidates_differ_and_are_heard(folder: Path) -> None:
    space = KeysSpace()
    pairs = embed_rolls(space, folder, n=30)
    assert len(pairs.rolls) == len(np.unique(pairs.rolls, axis=0)) == 30 < pairs.unique <= pairs.windows
    assert pairs.rolls.shape[1] == 128 * space.steps // 8 and pairs.rolls.any(axis=1).all()
    assert set(pairs.works.tolist()) == {"test0", "test1"}
    again = embed_rolls(space, folder, n=30, first_step=1)
    assert again.rolls.any(axis=1).all() and not (again.rolls[:, None] == pairs.rolls).all(axis=2).diagonal().all()
    report = measure_rolls(space, folder, n=30, whole=True)
    assert report.overlap["_of_all"]["tm"] > report.overlap["_of_all_without_roll"]["tm"]
    assert report.overlap["_of_all_without_roll"]["tm"] > report.overlap["_without_roll"]["tm"]
    whole = embed_rolls(space, folder, n=30, whole=True).base
    assert whole is not None and len(whole.rolls) == pairs.unique
    assert (whole.rolls[whole.places] == pairs.rolls).all() and (whole.score[whole.places] == pairs.score).all()
    scores = report.retrieval["audio_to_roll"]
    assert scores["r@1"] > 0.3 > 3 * scores["chance_r@1"] and scores["candidates"] == report.candidates == 30
    assert 1 >= report.overlap[""]["tm"] > report.overlap["_without_work"]["tm"] > 0
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        evaluate_rolls("none", folder, n=0)
    with pytest.raises(ValueError, match="split 'other'"):
        embed_rolls(space, folder, "other")


def test_a_saved_model_is_measured_by_the_command(folder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from hfmusic.cli import app
    from hfmusic.embedding import embedder
    from hfmusic.models.configuration_audio_score import AudioScoreConfig, vgg
    from hfmusic.models.modeling_audio_score import AudioScoreModel
    from hfmusic.models.processing_audio_roll import AudioRollProcessor

    config = AudioScoreConfig.dias2018(audio_tower=vgg(2), score_tower=vgg(2), embedding_size=4)
    place = tmp_path / "model"
    AudioScoreModel(config).save_pretrained(place)
    AudioRollProcessor.for_config(config).save_pretrained(place)
    out = tmp_path / "rows.json"
    run = CliRunner().invoke(app, ["evaluate", str(place), str(folder), "--n", "8", "-o", str(out)])
    assert run.exit_code == 0, run.output
    assert "TM where the right roll is in the base" in run.output
    rows = {row["metric"]: row for row in json.loads(out.read_text(encoding="utf-8"))}
    row = rows["audio_to_roll_r@25"]
    assert (row["value"], row["candidates"], row["image"], row["model"]) == (1.0, 8, "roll", str(place))
    assert row["command"] == f"hfmusic evaluate {place} {folder} --split test --n 8 --seed 0"
    run = CliRunner().invoke(app, ["evaluate", str(place), str(folder), "--method", "beam"])
    assert run.exit_code == 1 and "an embedding compares audio and piano rolls in one way" in str(run.exception)
    made = embedder(str(place))
    assert isinstance(made, RollEmbedder) and made.space.steps == 24
