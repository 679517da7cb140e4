"""Paper 001's tables: the cells, the lists of recordings by protocol, a whole rehearsal, the report by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hfmusic.reproduce import les2023, reproduce
from hfmusic.reproduce.comparisons import judge
from hfmusic.reproduce.les2023 import CELLS, REAL, Places, Scale, base_recipe, cells_called, choose_recordings
from hfmusic.reproduce.les2023_numbers import TABLES
from hfmusic.reproduce.les2023_report import claims
from hfmusic.testing.recordings import write_recordings
from hfmusic.training.front_end import build_transcriber
from hfmusic.training.loop import Training


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """No composition is in two of them."""
    root = tmp_path_factory.mktemp("sets")
    write_recordings(root / "maps", train=3, other=2, seed=1, prefix="m", source="maps")
    write_recordings(root / "guitarset", train=3, other=2, seed=2, prefix="g", source="guitarset", instrument="guitar")
    write_recordings(root / "synthesized", train=4, other=2, seed=3, prefix="s")
    return {name: root / name for name in ("maps", "guitarset", "synthesized")}


def test_seven_networks_and_their_order() -> None:
    names = [cell.name for cell in CELLS]
    assert len(set(names)) == 7 and all(table.keys() == set(names) for table in TABLES.values())
    assert [cell.name for cell in cells_called(["synthesized-*"])] == [
        "synthesized",
        "synthesized-maps",
        "synthesized-guitarset",
    ]
    assert cells_called([]) == list(CELLS)
    with pytest.raises(ValueError, match="no cell is called 'violin'; there are maps, guitarset"):
        cells_called(["violin"])


def test_the_papers_scale_is_the_papers() -> None:
    recipe, scale = base_recipe("paper"), les2023.SCALES["paper"]
    model, front_end = build_transcriber(recipe)
    assert sum(weight.numel() for weight in model.parameters()) == 1_350_145
    assert front_end.frames(recipe.crop.seconds) * front_end.hop_length == 327_680 and recipe.crop.per_track
    assert scale.step_count(210, recipe.batch_size) == 14_000 and recipe.ema_decay == 0
    assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.clip_value) == ("adam", 0.01, 0.1)


def test_the_protocol_decides_on_compositions_that_are_tested(folders: dict[str, Path], tmp_path: Path) -> None:
    leaky = tmp_path / "synthesized"
    write_recordings(leaky, train=3, other=1, seed=4)  # works train0, train1 and train2, as in maps
    write_recordings(tmp_path / "maps", train=3, other=2, seed=1)
    (tmp_path / "maps" / "train-00000-of-00001.parquet").replace(tmp_path / "maps" / "test-00000-of-00001.parquet")
    write_recordings(tmp_path / "more", train=5, other=1, seed=5)
    (tmp_path / "more" / "train-00000-of-00001.parquet").replace(tmp_path / "maps" / "train-00000-of-00001.parquet")
    own = {**folders, "maps": tmp_path / "maps", "synthesized": leaky}
    for protocol, kept in (("paper", 5), ("leak-free", 2)):
        places = Places({k: str(v) for k, v in own.items()}, tmp_path / protocol, str(tmp_path / "cache"), protocol)
        if protocol == "paper":
            about = choose_recordings(places)
            assert about["maps"] == {"test": 3, "train": kept, "tested": 3, "validation": 2}
            assert about["synthesized"] == {"train": 3, "tested": 3}
        else:  # nothing is left of the synthesized set
            with pytest.raises(ValueError, match="synthesized has no train recording whose composition is not in"):
                choose_recordings(places)
            assert places.ids("maps", "train").read_text(encoding="utf-8").split() == ["train3", "train4"]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    config = base_recipe("small")
    model = {"preset": "paper", "channels": [2, 2, 2, 2], "hidden_size": 4}
    crop = replace(config.crop, seconds=1.024, validation_seconds=2.0)
    config = replace(config, model=model, crop=crop, batch_size=2, save_every=2)
    monkeypatch.setattr(les2023, "base_recipe", lambda _: config)
    monkeypatch.setitem(les2023.SCALES, "small", Scale("small", steps=4, seconds=3.0, validation=1, evaluations=2))


def test_it_runs_from_end_to_end_and_resumes(
    tiny: None, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"out": out, "recordings": folders, "seeds": [0], "cache_dir": str(tmp_path / "cache")}
    summary = reproduce("les2023", cells=["maps", "*-maps"], **options)
    assert set(summary["cells"]) == {"guitarset", "guitarset-maps", "maps", "synthesized", "synthesized-maps"}
    cell = summary["cells"]["synthesized-maps"]
    assert cell["test_recordings"] == {"maps": 2, "guitarset": 2} and cell["steps"] == 4
    assert set(cell["scores"]) >= {"maps/frame_f1", "guitarset/note_offset_precision"}
    result = json.loads((out / "seed0" / "synthesized-maps.json").read_text(encoding="utf-8"))
    assert [point["step"] for point in result["curve"]] == [2, 4]
    assert not list((out / "seed0").glob("*/checkpoint-*"))
    text = (out / "results.md").read_text(encoding="utf-8")
    command = "hfmusic reproduce les2023 --scale small --seeds 0 --cells 'maps,*-maps' --protocol leak-free"
    assert f"`{command}`" in text and "*0.722*" in text and "| Synthesized → MAPS |" in text
    assert (out / "results.png").read_bytes()[:4] == b"\x89PNG"
    measured = [finding["verdict"] != "not measured" for finding in summary["findings"]]
    assert sum(measured) == 6 and len(measured) == 9

    def not_again(self: Training) -> Path:
        raise AssertionError("trained twice")

    monkeypatch.setattr(Training, "run", not_again)
    assert reproduce("les2023", cells=["maps"], **options)["cells"] == json.loads(json.dumps(summary["cells"]))
    plan = reproduce("les2023", dry_run=True, **options)["cells"]
    assert [row["cell"] for row in plan if not row["done"]] == ["synthesized-guitarset", "maps-guitarset"]
    with pytest.raises(ValueError, match="protocol must be one of leak-free, paper, got 'free'"):
        reproduce("les2023", protocol="free", **options)


def test_a_set_that_is_only_tested(
    tiny: None, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "guitarset"
    alone.mkdir()
    (alone / "test-00000-of-00001.parquet").write_bytes(
        (folders["guitarset"] / "test-00000-of-00001.parquet").read_bytes()
    )
    options: dict[str, Any] = {"recordings": {**folders, "guitarset": alone}, "cache_dir": str(tmp_path / "cache")}
    summary = reproduce("les2023", cells=["maps", "guitarset-maps"], seeds=[0], out=tmp_path / "out", **options)
    assert set(summary["cells"]) == {"maps"} and "guitarset, guitarset-maps left out" in capsys.readouterr().out
    assert summary["cells"]["maps"]["test_recordings"] == {"maps": 2, "guitarset": 2}
    result = json.loads((tmp_path / "out" / "seed0" / "maps.json").read_text(encoding="utf-8"))
    assert set(result["curve"][0]) == {"step", "frame/maps", "note/maps", "note_offset/maps"}
    assert "| GuitarSet | guitarset | - |" in (tmp_path / "out" / "results.md").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no recordings to train on in .*guitarset: guitarset left out"):
        reproduce("les2023", cells=["guitarset"], seeds=[0], out=tmp_path / "out", **options)


def test_findings_by_hand() -> None:
    def run(seed: int, f1: float, curve: list[float]) -> dict[str, Any]:
        scores = {f"{level}_{one}": f1 for level in TABLES for one in ("precision", "recall", "f1")}
        points = [{"step": place, **{f"note/{name}": value for name in REAL}} for place, value in enumerate(curve)]
        return {"seed": seed, "tests": {name: {"a": scores} for name in REAL}, "curve": points}

    results = {
        "maps": [run(0, 0.5, [1.0, 90.0]), run(1, 0.6, [1.0, 90.0])],
        "synthesized-maps": [run(0, 0.7, [50.0, 80.0]), run(1, 0.55, [50.0, 80.0])],
    }
    found = {finding.claim: finding for finding in judge(results, claims()) if finding.verdict != "not measured"}
    helps = found["Pre-training on synthesized sound helps on pianos"]
    assert (helps.verdict, helps.numbers) == ("mostly holds", "62.5 % and 55.0 % (true for 1 of 2 seeds)")
    faster = found["Pre-training on synthesized sound learns pianos faster than starting afresh"]
    assert (faster.verdict, faster.numbers) == ("holds", "50.0 % and 1.0 % (true for 2 of 2 seeds)")
    assert len(found) == 2
