"""Paper 003's tables: the cells, the renditions they hear, a whole rehearsal, the report by hand."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hfmusic.reproduce import dorfer2017, reproduce
from hfmusic.reproduce.comparisons import judge
from hfmusic.reproduce.dorfer2017 import CELLS, METHODS, Scale, base_recipe, cells_called
from hfmusic.reproduce.dorfer2017_data import Places, choose_renditions, read_renditions
from hfmusic.reproduce.dorfer2017_numbers import CANDIDATES, TABLE_2, TABLE_3
from hfmusic.reproduce.dorfer2017_report import claims, rank_counts, write_report
from hfmusic.testing.sheets import write_sheets
from hfmusic.training.loop import Training

PLAYED = (("one", 1.0), ("one", 0.9), ("two", 1.0), ("two", 1.1))


@pytest.fixture(scope="session")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sheets(tmp_path_factory.mktemp("dorfer") / "sheets", train=3, other=2, notes=16, renditions=PLAYED)


def test_the_cells_are_the_papers_and_one_more() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == len(names) and set(names) == {*TABLE_2, "onset"} and set(TABLE_3) < set(names)
    assert [cell.name for cell in cells_called(["d*", "none"])] == ["none", "dy", "dx"]
    with pytest.raises(ValueError, match="no cell is called 'violin'; there are none, tempo"):
        cells_called(["violin"])
    full = next(cell for cell in CELLS if cell.name == "full")
    assert (full.options.scale, full.options.dy, full.options.dx, full.options.onset_shift) == (0.05, 5, 5, 0)
    assert full.fonts and full.tempo


def test_the_papers_scale_is_the_papers() -> None:
    from hfmusic.training.pair_model import build_audio_score

    recipe = base_recipe("paper")
    model, processor = build_audio_score(recipe)
    assert sum(weight.numel() for weight in model.parameters()) == 2 * 83_884
    assert (processor.image_height, processor.image_width, processor.image_scale, processor.frames) == (180, 200, 1, 42)
    assert (recipe.batch_size, recipe.optimizer.lr, recipe.schedule.decay, recipe.schedule.drops) == (
        100,
        2e-3,
        0.5,
        10,
    )
    assert dorfer2017.SCALES["paper"].candidates is None and sum(TABLE_3["full"]) == 26 and CANDIDATES == 11_821


def test_each_cell_hears_what_its_augmentations_allow(sheets: Path, tmp_path: Path) -> None:
    places = Places(str(sheets), tmp_path / "out", str(tmp_path / "cache"))
    about = choose_renditions(places, CELLS, pieces=2, tested=1)
    assert about["pieces"] == 2 and about["font"] == "one:0" and (about["validation"], about["test"]) == (2, 1)
    heard = {name: places.listed(name) for name in about["train"]}
    assert heard["none"] == heard["dy"] == ["train0-one-1", "train2-one-1"]
    assert heard["tempo"] == ["train0-one-1", "train0-one-0.9", "train2-one-1", "train2-one-0.9"]
    assert heard["fonts"] == ["train0-one-1", "train0-two-1", "train2-one-1", "train2-two-1"]
    assert len(heard["audio"]) == len(heard["full"]) == 8 and about["train"]["full"] == 8
    used = {split: [one.id for one in read_renditions(places.sheets, split)] for split in ("train", "test")}
    assert used == {"train": heard["full"], "test": ["test0-one-1"]}
    before = (places.sheets / "train-00000-of-00001.parquet").stat().st_mtime_ns
    assert choose_renditions(places, CELLS, pieces=2, tested=1) == about
    assert (places.sheets / "train-00000-of-00001.parquet").stat().st_mtime_ns == before
    elsewhere = replace(places, out=tmp_path / "elsewhere", tested=str(sheets))
    assert choose_renditions(elsewhere, CELLS, pieces=2, tested=1) == about
    swapped = write_sheets(tmp_path / "swapped", train=1, other=1, notes=4)
    shutil.copy(sheets / "train-00000-of-00001.parquet", swapped / "test-00000-of-00001.parquet")
    with pytest.raises(ValueError, match="swapped has in split 'test' what is trained on: train0"):
        choose_renditions(replace(elsewhere, tested=str(swapped)), CELLS, pieces=None, tested=None)
    plain = write_sheets(tmp_path / "plain", train=1, other=1, notes=4)
    with pytest.raises(
        ValueError, match="plain has 1 renditions of one font as written, 1 with other tempi and 1 with"
    ):
        choose_renditions(replace(places, data=str(plain)), CELLS, pieces=None, tested=None)
    with pytest.raises(ValueError, match="nothing has no split 'train': make it with `hfmusic build sheet_audio`"):
        choose_renditions(replace(places, data=str(tmp_path / "nothing")), CELLS, pieces=None, tested=None)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    config = base_recipe("small")
    tower = {"channels": [2, 2, 4, 4]}
    sizes = {"preset": "public", "audio_tower": tower, "score_tower": tower, "embedding_size": 4}
    pairs = replace(config.pairs, refit=20, validation_refit=12)
    config = replace(config, model=sizes, batch_size=8, save_every=2, pairs=pairs)
    monkeypatch.setattr(dorfer2017, "base_recipe", lambda _: config)
    scale = Scale("small", steps=2, pieces=2, tested=2, candidates=10, followed=1, evaluations=1, validation=8)
    monkeypatch.setitem(dorfer2017.SCALES, "small", scale)


def test_it_runs_from_end_to_end_and_resumes(
    tiny: None, sheets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"out": out, "sheets": sheets, "seeds": [0], "cache_dir": str(tmp_path / "cache")}
    summary = reproduce("dorfer2017", cells=["none", "full"], **options)
    cell = summary["cells"]["full"]
    assert set(summary["cells"]) == {"none", "full"} and (cell["steps"], cell["candidates"], cell["pieces"]) == (
        2,
        10,
        2,
    )
    assert set(cell["scores"]) >= {"audio_to_sheet_r@1", "sheet_to_audio_median_rank"}
    assert sum(cell["ranks"]["part"]["0"]) == 2 and set(cell["alignment"]["0"]) == set(METHODS)
    result = json.loads((out / "seed0" / "full.json").read_text(encoding="utf-8"))
    assert result["retrieval"]["audio_to_sheet"]["chance_r@1"] == 0.1 and result["unique_pairs"] >= 10
    assert not list((out / "seed0").glob("*/checkpoint-*"))
    text = (out / "results.md").read_text(encoding="utf-8")
    assert f"`hfmusic reproduce dorfer2017 --scale small --seeds 0 --cells none,full --sheets {sheets}`" in text
    assert "| *paper* | *1.70* | *11.67* | *21.17* | *168* | *11821* |" in text and "| chance | 10.00 |" in text
    assert (out / "results.png").read_bytes()[:4] == b"\x89PNG"
    measured = [finding for finding in summary["findings"] if finding["verdict"] != "not measured"]
    assert len(measured) == 6

    def not_again(self: Training) -> Path:
        raise AssertionError("trained twice")

    monkeypatch.setattr(Training, "run", not_again)
    assert reproduce("dorfer2017", cells=["full"], **options)["cells"] == json.loads(json.dumps(summary["cells"]))
    plan = reproduce("dorfer2017", dry_run=True, **options)["cells"]
    assert [row["cell"] for row in plan if row["done"]] == ["none", "full"] and len(plan) == len(CELLS)


def run_of(seed: int, recall: float, ranks: list[int], errors: dict[str, float]) -> dict[str, Any]:
    scores = dict.fromkeys(("r@1", "r@5", "r@10", "r@25", "mrr"), recall) | {"median_rank": 7.0, "candidates": 50}
    scores |= {"chance_r@1": 0.02, "chance_r@10": 0.2, "chance_r@25": 0.5, "chance_median_rank": 25.5}
    box = {"whislo": 0.0, "q1": 0.1, "med": 0.2, "q3": 0.3, "whishi": 0.4}
    one = {"lower_quartile": 0.1, "upper_quartile": 0.3, "onsets": 9, "box": box}
    return {
        **{"seed": seed, "parameters": 1, "steps": 2, "batch_size": 3, "pieces": 4, "unique_pairs": 60, "minutes": 1.0},
        "retrieval": {"audio_to_sheet": scores, "sheet_to_audio": {**scores, "r@25": recall / 2}},
        "ranks": {"recording": ranks, "part": ranks},
        "alignment": {name: {**one, "median": value} for name, value in errors.items()},
    }


def test_findings_and_tables_by_hand(tmp_path: Path) -> None:
    lines = {"linear": 0.2, "ends": 0.04}
    far, near = {**lines, "dtw": 0.1, "free": 0.1}, {**lines, "dtw": 0.05, "free": 0.03}
    results = {
        "none": [run_of(0, 0.10, [1, 2, 3, 4], far), run_of(1, 0.40, [2, 2, 2, 2], far)],
        "full": [run_of(0, 0.30, [1, 1, 1, 2], near), run_of(1, 0.35, [1, 1, 1, 1], near)],
    }
    found = {one.claim: one for one in judge(results, claims()) if one.verdict != "not measured"}
    helps = found["Augmentation helps: all of the paper"]
    assert (helps.verdict, helps.numbers) == ("mostly holds", "32.5 % and 25.0 % (true for 1 of 2 seeds)")
    assert found["The opposite direction works as well"].verdict == "does not hold"
    assert found["Augmentation identifies more pieces"].numbers.startswith("87.5 % and 12.5 %")
    assert found["DTW on the embedding follows better than a straight line"].verdict == "holds"
    control = found["... also than one that knows the first and the last onset (our control)"]
    assert control.verdict == "does not hold" and control.numbers.startswith("4.0 % and 5.0 %")
    for name, runs in results.items():
        for run in runs:
            place = tmp_path / f"seed{run['seed']}" / f"{name}.json"
            place.parent.mkdir(exist_ok=True)
            place.write_text(json.dumps({"cell": name, **run}), encoding="utf-8")
    summary = write_report(tmp_path, scale="small", command="x", about={})
    assert summary["cells"]["full"]["ranks"]["recording"] == {"0": [3, 1, 0, 0], "1": [4, 0, 0, 0]}
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert (
        "| all of the paper | 32.50 ± 3.54 |" in text and "| *paper: none* | | *26* | *4* | *7* | *1* | *14* |" in text
    )
    assert "| DTW, full | 9 | 0.100 ± 0.000 | 0.050 ± 0.000 | 0.300 ± 0.000 | *0.041* |" in text
    assert rank_counts([5, 1]) == [1, 0, 0, 1]
