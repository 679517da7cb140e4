"""Paper 004's table: the cells, the pieces, what the published measuring does to a network, a rehearsal, the report."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

from hfmusic.data.rolls import STEPS_PER_BEAT, notes_on_grid
from hfmusic.evaluate_rolls import measure_rolls
from hfmusic.hearing.roll_space import ModelSpace
from hfmusic.hub import Loaded
from hfmusic.metrics.ranking import chance_scores
from hfmusic.reproduce import dias2018, reproduce
from hfmusic.reproduce.comparisons import judge
from hfmusic.reproduce.dias2018 import CELLS, MENDED, SCALES, Scale, as_published, base_recipe, cells_called, recipe_of
from hfmusic.reproduce.dias2018_data import Places, choose_pieces
from hfmusic.reproduce.dias2018_numbers import CANDIDATES, TABLE_2
from hfmusic.reproduce.dias2018_report import claims, write_report
from hfmusic.testing.recordings import RATE, draw_notes, play_notes
from hfmusic.training.loop import Training


def rendition(work: str, seed: int, loud: float) -> dict[str, Any]:
    """A row of pianoroll_audio, at 120 beats a minute."""
    notes = draw_notes(np.random.default_rng(seed))
    grid = np.arange(4 * 2 * STEPS_PER_BEAT + 2) * 0.5 / STEPS_PER_BEAT
    placed = notes_on_grid(
        [(note["onset_seconds"], note["offset_seconds"]) for note in notes],
        *([note[name] for note in notes] for name in ("pitch_midi", "velocity")),
        grid,
    )
    file = io.BytesIO()
    soundfile.write(file, loud * play_notes(notes), RATE, format="FLAC")
    texts = {"id": f"mozart/{work}", "work": work, "piece": f"mozart/{work}", "composer": "mozart"}
    return {
        **{**texts, "source": "midi", "font": "one", "program": 0, "transposition": 0, "seconds": 4.0},
        "audio": {"bytes": file.getvalue(), "path": None},
        "steps_per_beat": STEPS_PER_BEAT,
        "notes": [dict(zip(placed.dtype.names, note.tolist(), strict=True)) for note in placed],
        "step_seconds": grid.tolist(),
    }


def write_rolls(folder: Path, *, works: int = 5, loud: float = 1.0) -> Path:
    folder.mkdir(parents=True)
    rows = [rendition(f"w{number}", number, loud) for number in range(works)]
    for split, some in (("train", rows[:-2]), ("test", rows[-2:])):
        pq.write_table(pa.Table.from_pylist(some), folder / f"{split}-00000-of-00001.parquet")
    return folder


@pytest.fixture(scope="session")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dias")
    return {"loud": write_rolls(folder / "loud"), "quiet": write_rolls(folder / "quiet", loud=0.001)}


def test_each_cell_mends_one_thing_more() -> None:
    names = [cell.name for cell in CELLS]
    assert names == ["untrained", "paper", *MENDED] and set(TABLE_2) < set(names)
    assert [len(cell.mended) for cell in CELLS] == [0, *range(len(MENDED) + 1)]
    assert {cell.name for cell in CELLS if cell.network != cell.name} == {"eval"}
    assert CELLS[2].network == "paper"
    with pytest.raises(ValueError, match="no cell is called 'tempo'; there are untrained, paper"):
        cells_called(["tempo"])


def test_the_recipes_differ_in_what_is_mended(tmp_path: Path) -> None:
    from hfmusic.training.pair_model import build_audio_score

    places = Places("loud", "quiet", tmp_path, "cache")
    recipes = {cell.name: recipe_of(cell, SCALES["paper"], places, 3) for cell in CELLS}
    paper, last = recipes["paper"], recipes["recipe"]
    assert paper.batch_size == 32 and paper.optimizer.lr == 1e-2 and paper.run_dir.name == "paper" and paper.seed == 3
    assert (paper.train[0].split, Path(paper.train[0].path).name) == ("leaked", "quiet") and not paper.pairs.unique
    assert (last.train[0].split, Path(last.train[0].path).name) == ("train", "loud") and last.pairs.unique
    assert recipes["velocity"].processor["scaling"] == "magnitude" and recipes["log"].processor["scaling"] == "decibels"
    model, processor = build_audio_score(paper)
    mended, _ = build_audio_score(recipes["blocks"])
    own = 2 * (2 * 96 * 96 * 9 + 4 * 96)  # two convolutions more, with their norms, in both networks
    assert mended.num_parameters() - model.num_parameters() == own and model.config.loss == "ranking"
    assert mended.num_parameters() == 2 * 331_000 and processor.score_size == (128, 24)  # facts: 331,000 a tower
    better, _ = build_audio_score(last)
    assert better.config.loss == "info_nce" and not better.config.audio_tower["norm_last"]
    assert base_recipe("paper").ema_decay == 0 and SCALES["small"].width < SCALES["paper"].width


def test_pieces_are_drawn_once_and_leak_only_where_they_should(rolls: dict[str, Path], tmp_path: Path) -> None:
    places = Places(str(rolls["loud"]), str(rolls["quiet"]), tmp_path / "out", "cache")
    assert choose_pieces(places, pieces=3, tested=2) == {"train": 3, "leaked": 3, "test": 2}

    def names(kind: str, split: str) -> set[str]:
        return set(pq.read_table(places.rolls(kind) / f"{split}-00000-of-00001.parquet")["work"].to_pylist())

    assert not names("loud", "train") & names("loud", "test") and names("loud", "test") < names("loud", "leaked")
    assert names("quiet", "leaked") == names("loud", "leaked")
    with pytest.raises(ValueError, match="loud has 5 compositions, 6 are needed"):
        choose_pieces(places, pieces=None, tested=3)
    other = write_rolls(tmp_path / "other", works=4)
    with pytest.raises(ValueError, match=r"hold different renditions: build both .* with --velocity one"):
        choose_pieces(replace(places, quiet=str(other)), pieces=None, tested=2)
    with pytest.raises(
        ValueError, match="none has no renditions of rolls: make it with `hfmusic build pianoroll_audio`"
    ):
        choose_pieces(replace(places, loud="none"), pieces=None, tested=2)


def test_training_mode_makes_all_queries_alike(rolls: dict[str, Path]) -> None:
    """The published row's numbers are those of chance, exactly, whatever the network has learned."""
    from hfmusic.models.configuration_audio_score import AudioScoreConfig, vgg
    from hfmusic.models.modeling_audio_score import AudioScoreModel
    from hfmusic.models.processing_audio_roll import PAPER, AudioRollProcessor

    torch.manual_seed(0)
    tower = vgg(2, norm_last=True, shared=True)
    config = AudioScoreConfig.dias2018(audio_tower=tower, score_tower=tower, embedding_size=8)
    model = AudioScoreModel(config).eval()
    for network in (model.audio_tower, model.score_tower):
        torch.nn.init.normal_(network.last[1].bias)  # as after some training
    sound = torch.rand(6, 1, 43, 128)
    fine = model.get_audio_features(sound).detach()
    loaded = as_published(Loaded(model, AudioRollProcessor.for_config(config, **PAPER)))
    with torch.inference_mode():
        alike = model.get_audio_features(sound)
    assert float(alike.std(dim=0).max()) < 1e-5 < 1e-3 < float(fine.std(dim=0).max())
    assert torch.allclose(alike[0], torch.nn.functional.normalize(model.audio_tower.last[1].bias, dim=0), atol=1e-4)
    assert not model.audio_tower.training
    scores = measure_rolls(ModelSpace(loaded), rolls["loud"], n=40).retrieval["audio_to_roll"]
    chance = chance_scores(40, (1, 25))
    assert scores["mrr"] == pytest.approx(chance["chance_mrr"], abs=0.02)
    assert scores["median_rank"] == pytest.approx(20.5, abs=1) and scores["r@1"] <= 0.05
    published = chance_scores(CANDIDATES, (1, 25))
    rounded = (round(published["chance_r@1"], 4), round(published["chance_r@25"], 3), round(published["chance_mrr"], 2))
    assert rounded == TABLE_2["paper"][:3] and int(published["chance_median_rank"]) == TABLE_2["paper"][3]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    config = base_recipe("small")
    config = replace(config, batch_size=6, save_every=2, model={**config.model, "embedding_size": 4})
    monkeypatch.setattr(dias2018, "base_recipe", lambda _: config)
    monkeypatch.setitem(dias2018.SCALES, "small", Scale("small", steps=2, width=2, pieces=2, tested=2, candidates=30))


def test_it_runs_from_end_to_end_and_resumes(
    tiny: None, rolls: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"out": out, "rolls": rolls, "seeds": [0], "cache_dir": str(tmp_path / "cache")}
    summary = reproduce("dias2018", cells=["untrained", "paper", "eval", "recipe"], **options)
    assert set(summary["cells"]) == {"untrained", "paper", "eval", "recipe"}
    assert summary["pieces"] == {"train": 2, "leaked": 2, "test": 2}
    cell = summary["cells"]["paper"]
    assert (cell["steps"], cell["candidates"], summary["cells"]["untrained"]["steps"]) == (2, 30, 0)
    assert cell["scores"]["r@1"]["chance"] == pytest.approx(1 / 30) and cell["unique"] > 30
    assert cell["parameters"] == summary["cells"]["eval"]["parameters"] < summary["cells"]["recipe"]["parameters"]
    assert sorted(path.name for path in (out / "seed0" / "networks").iterdir()) == ["paper", "recipe"]
    text = (out / "results.md").read_text(encoding="utf-8")
    assert "`hfmusic reproduce dias2018 --scale small --seeds 0 --cells untrained,paper,eval,recipe`" in text
    assert (
        "| *paper* | *0.0015* | *0.037* | *0.010* | *336* | *0.020* | | *672* |" in text
        and "| chance | 0.0333 |" in text
    )
    assert (out / "results.png").read_bytes()[:4] == b"\x89PNG"
    assert sum(one["verdict"] != "not measured" for one in summary["findings"]) >= 3

    def not_again(self: Training) -> Path:
        raise AssertionError("trained twice")

    monkeypatch.setattr(Training, "run", not_again)
    assert reproduce("dias2018", cells=["eval"], **options)["cells"] == json.loads(json.dumps(summary["cells"]))
    plan = reproduce("dias2018", dry_run=True, **options)["cells"]
    assert [row["cell"] for row in plan if row["done"]] == ["untrained", "paper", "eval", "recipe"]


def run_of(seed: int, r25: float, mrr: float) -> dict[str, Any]:
    scores = {"r@1": 0.1, "r@5": 0.1, "r@25": r25, "mrr": mrr, "median_rank": 9.0, "candidates": 672}
    scores |= {f"chance_{name}": value for name, value in (("r@1", 0.0015), ("r@5", 0.007), ("r@25", 0.037))}
    scores |= {"chance_mrr": 0.01, "chance_median_rank": 336.5}
    overlap = {"": {"tm": 0.5}, "_without_roll": {"tm": 0.2}, "chance": {"tm": 0.03}}
    numbers = {"parameters": 1, "steps": 2, "batch_size": 3, "windows": 9, "unique": 8, "candidates": 672}
    return {"seed": seed, **numbers, "minutes": 1.0, "retrieval": {"audio_to_roll": scores}, "overlap": overlap}


def test_findings_and_table_by_hand(tmp_path: Path) -> None:
    results = {
        "paper": [run_of(0, 0.037, 0.010), run_of(1, 0.030, 0.012)],
        "eval": [run_of(0, 0.2, 0.05), run_of(1, 0.1, 0.05)],
        "blocks": [run_of(0, 0.9, 0.5)],
        "split": [run_of(0, 0.4, 0.2)],
    }
    found = {one.claim: one for one in judge(results, claims()) if one.verdict != "not measured"}
    assert found["As published it is no better than chance"].verdict == "holds"
    assert found["The leaked split flatters"].numbers.startswith("90.0 % and 40.0 %")
    assert found["It helps: both networks measured in evaluation mode"].verdict == "holds" and len(found) == 4
    for name, runs in results.items():
        for run in runs:
            place = tmp_path / f"seed{run['seed']}" / f"{name}.json"
            place.parent.mkdir(exist_ok=True)
            place.write_text(json.dumps({"cell": name, **run}), encoding="utf-8")
    write_report(tmp_path, scale="small", command="x", about={})
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| as published | 0.1000 ± 0.0000 | 0.034 ± 0.005 | 0.011 ± 0.001 | 9 ± 0 | 0.500 ± 0.000 |" in text
    assert "| chance | 0.0015 | 0.037 | 0.010 | 336 | 0.030 | | 672 |" in text
