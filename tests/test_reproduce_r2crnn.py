"""Paper 002's table: its cells, what is equal between the two networks, the comparison by hand, a whole run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hfmusic.reproduce import r2crnn, reproduce
from hfmusic.reproduce.r2crnn import PAPER, Cell, base_recipe, compare, recipe_of, table_cells
from hfmusic.testing.staves import write_dataset
from hfmusic.training.loop import Training


def test_eight_networks_give_sixteen_pairs() -> None:
    names = [cell.name for cell in table_cells()]
    assert len(set(names)) == 8 and "r2crnn-agnostic-distorted" in names
    assert sum(len(row) for row in PAPER.values()) == 16


@pytest.mark.parametrize("scale", ["small", "paper"])
def test_both_networks_have_the_same_budget(scale: str, tmp_path: Path) -> None:
    pair = [recipe_of(Cell("image", "agnostic", kind), scale, "d", tmp_path, 3, "c") for kind in ("crnn", "r2crnn")]
    changed = {"name": "", "architecture": "crnn", "model": {}}
    assert replace(pair[0], **changed) == replace(pair[1], **changed)
    assert pair[1].architecture == "r2crnn" and pair[1].vocabulary == "agnostic" and pair[1].seed == 3
    models = [{**one.model, "leaky_relu_slope": None} for one in pair]
    assert models[0] == models[1]


def test_the_papers_scale_is_the_papers() -> None:
    recipe = base_recipe("paper")
    assert recipe.model["input_height"] == 128 and recipe.model["pool_sizes"] == [[2, 2]] * 4
    assert (recipe.batch_size, recipe.model["hidden_size"], recipe.optimizer.name) == (16, 256, "adam")


def test_comparison_by_hand() -> None:
    def result(edits: list[int]) -> dict[str, Any]:
        return {"staves": {"image": [[f"s{number}", count, 10] for number, count in enumerate(edits)]}}

    gain, low, high = compare(result([4] * 50), result([1] * 50), "image")
    assert gain == low == high == pytest.approx(30)
    gain, low, high = compare(result([0, 2] * 50), result([2, 0] * 50), "image")
    assert gain == 0 and low < 0 < high


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    config = base_recipe("small")
    model = {**config.model, "conv_channels": [2, 2, 2, 2], "hidden_size": 4}
    config = replace(config, model=model, batch_size=4, max_steps=3, evaluate_every=3, save_every=2)
    monkeypatch.setattr(r2crnn, "base_recipe", lambda _: config)


def test_it_runs_from_end_to_end_and_resumes(tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = write_dataset(tmp_path / "primus", train=8, other=3)
    out = tmp_path / "out"
    options: dict[str, Any] = {"out": out, "images": data, "seeds": [0], "cache_dir": str(tmp_path / "cache")}
    summary = reproduce("r2crnn", cells=["*-agnostic-clean"], **options)
    assert [cell["cell"] for cell in summary["cells"]] == ["crnn-agnostic-clean", "r2crnn-agnostic-clean"]
    assert all(cell["clean"]["n"] == 6 and cell["distorted"]["ser"] > 0 for cell in summary["cells"])
    assert len(summary["findings"]) == 2 and all("CRNN less R2-CRNN" in row["numbers"] for row in summary["findings"])
    text = (out / "results.md").read_text(encoding="utf-8")
    assert "`hfmusic reproduce r2crnn --scale small --seeds 0 --cells '*-agnostic-clean'`" in text
    assert "*0.59 / 16.2*" in text and "6 staves of unseen works (test and validation)" in text

    def not_again(self: Training) -> Path:
        raise AssertionError("trained twice")

    monkeypatch.setattr(Training, "run", not_again)
    again = reproduce("r2crnn", cells=["*-agnostic-clean"], **options)
    assert again["cells"] == json.loads(json.dumps(summary["cells"]))
    plan = reproduce("r2crnn", dry_run=True, **options)["cells"]
    assert [row["cell"] for row in plan if row["done"]] == ["crnn-agnostic-clean", "r2crnn-agnostic-clean"]


def test_a_cell_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no cell is called 'unet\*'; there are crnn-agnostic-clean, "):
        reproduce("r2crnn", cells=["unet*"], out=tmp_path)
