"""Reproducing paper 000's tables: which cells there are, that they resume, and what the report makes of numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hfmusic.reproduce import recipes as recipes_module
from hfmusic.reproduce import reproduce
from hfmusic.reproduce.cells import SIZES, all_cells, chosen_cells, table_cells
from hfmusic.reproduce.findings import judge
from hfmusic.reproduce.paper import NUMBERS
from hfmusic.reproduce.recipes import SCALES, Places, base_recipe, recipes
from hfmusic.reproduce.report import read_results, write_report
from hfmusic.reproduce.staves import Chosen, Curation, Folders
from hfmusic.training.loop import Training


def test_table_2_has_its_twelve_cells_and_table_3_its_twenty_four() -> None:
    second, third = table_cells("2"), table_cells("3")
    assert len(second) == 12 and len(third) == 24
    assert [cell.name for cell in second[:2]] == ["omr", "amt"]
    assert {(cell.domain, cell.policy) for cell in second[2:]} == {
        (domain, policy) for domain in ("image", "audio") for policy in ("N/A", "5:5", "4:5", "3:5", "2:5")
    }
    assert {(cell.domain, cell.method, cell.size) for cell in third} == {
        (domain, method, size) for domain in ("image", "audio") for method in ("base", "transfer") for size in SIZES
    }
    policies = {cell.domain: cell.policy for cell in third if cell.method == "transfer"}
    assert policies == {"image": "N/A", "audio": "5:5"}


def test_every_cell_of_the_paper_has_its_number() -> None:
    named = {cell.name for table in ("2", "3") for cell in table_cells(table)}
    assert named == set(NUMBERS)
    assert NUMBERS["omr"] == {"image": 9.6, "audio": 98.9} and NUMBERS["i2a-55"]["audio"] == 28.3
    assert NUMBERS["a2i-1000"] == {"image": 49.9} and NUMBERS["amt-50"] == {"audio": 93.5}


def test_cells_come_after_what_they_need() -> None:
    for chosen in (chosen_cells(["3"]), chosen_cells(["2", "3", "beyond"]), chosen_cells(["beyond"], ["fusion"])):
        names = [cell.name for cell in chosen]
        assert len(names) == len(set(names))
        for place, cell in enumerate(chosen):
            assert set(cell.needs) <= set(names[:place])
    assert [cell.name for cell in chosen_cells(["2"], ["a2i-*"])] == [
        "amt",
        *(f"a2i-{p}" for p in "na 55 45 35 25".split()),
    ]
    assert len(all_cells()) == sum(len(table_cells(table)) for table in ("2", "3", "beyond"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"paper": "smc2023"}, "paper must be one of smc2022, r2crnn, les2023, dorfer2017, dias2018, got 'smc2023'"),
        ({"scale": "huge"}, "scale must be one of small, paper, got 'huge'"),
        ({"tables": ["4"]}, "table must be one of 2, 3, beyond, got '4'"),
        ({"tables": ["2"], "cells": ["a3i-*"]}, r"no cell is called 'a3i-\*'; there are omr, amt"),
        ({"seeds": []}, "seeds must be numbers from 0, at least one"),
        ({"images": "nowhere"}, "dataset must be a folder of Parquet files"),
    ],
)
def test_bad_names_are_one_sentence(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        reproduce(**{"paper": "smc2022", "out": tmp_path, "cache_dir": str(tmp_path / "cache"), **changes})


def places(folder: Path) -> Places:
    ids = {part: [f"{part}{number}" for number in range(2000)] for part in ("train", "validation", "test")}
    chosen = Chosen(ids, {part: [part] for part in ids})
    return Places(Folders("pictures", "sounds"), folder, str(folder / "cache"), chosen)


def test_a_transfer_is_an_ordinary_recipe(tmp_path: Path) -> None:
    small, here = SCALES["small"], places(tmp_path)
    cell = all_cells()["i2a-55"]
    config = recipes(cell, small, here, seed=3)[0]
    assert config.transfer is not None and config.transfer.freeze == "5:5"
    assert config.transfer.source == str(tmp_path / "seed3" / "omr" / "model")
    assert config.model["modalities"] == ["audio"] and config.seed == 3
    assert config.train[0].path == "sounds" and config.train[0].modality == "audio"
    assert config.run_dir == tmp_path / "seed3" / "i2a-55"


def test_cells_of_a_kind_have_equal_steps(tmp_path: Path) -> None:
    small, here = SCALES["small"], places(tmp_path)
    for cell in table_cells("3"):
        config = recipes(cell, small, here, 0)[0]
        assert config.max_steps == small.steps["few"] and config.train[0].n == cell.size
    same = recipes(all_cells()["omr-same"], small, here, 0)[0].max_steps
    assert same == recipes(all_cells()["a2i-na"], small, here, 0)[0].max_steps == small.steps["transfer"]
    both = recipes(all_cells()["multitask"], small, here, 0)[0]
    assert both.max_steps == 2 * small.steps["base"] and both.model["modalities"] == ["image", "audio"]


def test_the_papers_scale_trains_for_a_hundred_epochs(tmp_path: Path) -> None:
    config = recipes(all_cells()["omr-50"], SCALES["paper"], places(tmp_path), 0)[0]
    assert config.max_steps == 1300 and config.evaluate_every == 13
    assert config.optimizer.lr == 1e-3 and config.batch_size == 4 and config.schedule.kind == "constant"
    assert config.model["input_height"] == 256 and config.train[0].distorted_probability == 1.0


def test_controls_have_the_steps_they_say(tmp_path: Path) -> None:
    small, here, cells = SCALES["small"], places(tmp_path), all_cells()
    for name in ("omr-long-100", "a2i-long-100", "a2i-long"):
        assert recipes(cells[name], small, here, 0)[0].max_steps == small.steps["base"]
    moved = recipes(cells["i2a-long-1000"], small, here, 0)[0]
    assert moved.transfer is not None and moved.transfer.freeze == "5:5" and moved.train[0].n == 1000
    fresh = recipes(cells["i2a-new-50"], small, here, 0)[0]
    assert fresh.transfer is not None and fresh.transfer.blocks == ("lstm1", "lstm2", "dense")
    assert fresh.augment.probability == fresh.audio_augment.probability == 1.0


def test_front_first_is_two_trainings(tmp_path: Path) -> None:
    first, second = recipes(all_cells()["i2a-front-50"], SCALES["small"], places(tmp_path), 0)
    assert first.transfer is not None and first.transfer.freeze == "3:5"
    assert second.initial == str(first.run_dir / "model") and second.optimizer.lr < first.optimizer.lr
    assert first.max_steps + second.max_steps == SCALES["small"].steps["few"]


def test_rehearsal_sees_both_domains_as_often(tmp_path: Path) -> None:
    config = recipes(all_cells()["a2i-reh-50"], SCALES["small"], places(tmp_path), 0)[0]
    target, source = config.train
    assert (target.modality, source.modality) == ("image", "audio")
    assert target.n == 50 and target.weight * 50 == source.weight * 2000
    assert config.max_steps == 2 * SCALES["small"].steps["few"]


def result(cell: str, seed: int, **ser: float) -> dict[str, Any]:
    about = all_cells()[cell]
    kept = {name: getattr(about, name) for name in ("table", "domain", "method", "policy", "size")}
    return {"cell": cell, "seed": seed, "ser": ser, "steps": 10, "batch_size": 2, "minutes": 1.0, **kept}


def write_results(out: Path, results: list[dict[str, Any]]) -> None:
    for one in results:
        folder = out / f"seed{one['seed']}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{one['cell']}.json").write_text(json.dumps(one), encoding="utf-8")


def test_the_report_of_given_numbers(tmp_path: Path) -> None:
    write_results(
        tmp_path,
        [
            result("omr", 0, image=10.0, audio=99.0),
            result("omr", 1, image=12.0, audio=97.0),
            result("a2i-na", 0, image=6.0, audio=95.0),
            result("a2i-na", 1, image=13.0, audio=95.0),
            result("omr-50", 0, image=90.0),
            result("fusion", 0, image=10.0, audio=20.0, **{"fused (paper)": 9.0}),
        ],
    )
    summary = write_report(tmp_path, scale="small", command="hfmusic reproduce smc2022", about={"staves": {"test": 7}})
    assert summary["cells"]["omr"]["ser"]["image"]["mean"] == 11.0
    assert summary["cells"]["omr"]["ser"]["image"]["spread"] == pytest.approx(2**0.5)
    assert summary["cells"]["omr"]["paper"] == {"image": 9.6, "audio": 98.9}
    text = (tmp_path / "results.md").read_text(encoding="utf-8")
    assert "| base OMR | 11.0 ± 1.4 (9.6) | 98.0 ± 1.4 (98.9) |" in text
    assert "| audio → image, 2:5 | - (96.0) | - (96.0) |" in text
    assert "| image: base | 90.0 (95.3) | - (95.2) |" in text
    assert "| late fused (paper) | both: 9.0 |" in text
    assert "`hfmusic reproduce smc2022`" in text and "7 to measure on" in text and "seeds 0, 1" in text
    assert (tmp_path / "results.png").read_bytes()[:4] == b"\x89PNG"
    assert (
        json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["cells"].keys() == summary["cells"].keys()
    )
    again = write_report(tmp_path, scale="small", command="hfmusic reproduce smc2022 --table 2", about={})
    assert again["commands"] == ["hfmusic reproduce smc2022", "hfmusic reproduce smc2022 --table 2"]
    assert sorted(read_results(tmp_path)) == ["a2i-na", "fusion", "omr", "omr-50"]


def verdict(seeds: dict[int, dict[str, dict[str, float]]], start: str) -> tuple[str, str]:
    found = [finding for finding in judge(seeds) if finding.claim.startswith(start)]
    assert len(found) == 1, [finding.claim for finding in found]
    return found[0].verdict, found[0].numbers


def test_findings_follow_from_numbers() -> None:
    gain = {"omr": {"image": 10.0, "audio": 99.0}, "a2i-na": {"image": 6.0, "audio": 95.0}}
    loss = {"omr": {"image": 12.0, "audio": 99.0}, "a2i-na": {"image": 13.0, "audio": 80.0}}
    helps = "Transfer helps in the image domain"
    assert verdict({0: gain}, helps) == ("holds", "a2i-na 6.0, omr 10.0 (true for 1 of 1 seeds)")
    assert verdict({0: gain, 1: loss}, helps) == ("mostly holds", "a2i-na 9.5, omr 11.0 (true for 1 of 2 seeds)")
    assert verdict({0: loss}, helps)[0] == "does not hold"
    assert verdict({0: gain}, "Transfer helps in the audio domain") == ("not measured", "")
    assert verdict({0: loss}, "Catastrophic forgetting: after transfer to the image")[0] == "does not hold"
    assert verdict({0: gain}, "A network of the other domain reads nothing of the audio")[0] == "holds"


def test_few_shot_methods_are_compared_where_both_are_measured() -> None:
    rates = {"a2i-50": {"image": 60.0}, "a2i-75": {"image": 50.0}, "a2i-augt-50": {"image": 55.0}}
    claim = "Few image staves: augmented transfer beats transfer"
    assert verdict({0: rates}, claim) == ("holds", "a2i-augt 55.0, a2i 60.0 (true for 1 of 1 seeds)")
    assert verdict({0: {}}, claim) == ("not measured", "")


def test_the_papers_numbers_give_the_papers_findings() -> None:
    said = {finding.claim: finding.verdict for finding in judge({0: NUMBERS})}
    measured = {claim: verdict for claim, verdict in said.items() if verdict != "not measured"}
    assert len(measured) == 15
    assert set(measured.values()) == {"holds"}


def picture_and_sound(rng: np.random.Generator, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A drawn staff, and a sound of as many blips: not that music, but as long a text."""
    import io

    import soundfile

    from hfmusic.testing.staves import draw_staff

    image, tokens = draw_staff(rng, notes=3)
    encoded = {"bytes": cv2.imencode(".png", image)[1].tobytes(), "path": None}
    seconds = np.arange(int(0.3 * len(tokens) * 22050)) / 22050
    sound = (0.5 * np.sin(2 * np.pi * (220 + 110 * np.floor(seconds / 0.3)) * seconds)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, sound, 22050, format="FLAC")
    common = {"id": name, "work": name, "semantic": "\t".join(tokens)}
    return {**common, "image": encoded, "distorted": encoded}, {
        **common,
        "audio": {"bytes": file.getvalue(), "path": None},
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    """A dozen staves to see and to hear."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("both")
    for split, count in (("train", 8), ("validation", 2), ("test", 2)):
        pairs = [picture_and_sound(rng, f"{split}{number}") for number in range(count)]
        for kind, rows in zip(("image", "audio"), zip(*pairs, strict=True), strict=True):
            (root / kind).mkdir(exist_ok=True)
            pq.write_table(pa.Table.from_pylist(list(rows)), root / kind / f"{split}-00000-of-00001.parquet")
    return Folders(str(root / "image"), str(root / "audio"))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The small scale, tinier: a few steps of a network of a few channels."""
    scale = replace(SCALES["small"], curation=Curation(), steps={"base": 4, "transfer": 4, "few": 2}, evaluations=2)
    config = base_recipe("small")
    model = {**config.model, "conv_channels": [2, 2], "hidden_size": 4}
    config = replace(config, model=model, batch_size=4)
    monkeypatch.setitem(SCALES, "small", scale)
    monkeypatch.setattr(recipes_module, "base_recipe", lambda _: config)
    monkeypatch.setattr("hfmusic.reproduce.runner.base_recipe", lambda _: config)
    yield


def test_it_runs_from_end_to_end_and_resumes(
    folders: Folders, tiny: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {
        "out": tmp_path / "out",
        "images": folders.image,
        "audio": folders.audio,
        "seeds": [0],
        "cache_dir": str(tmp_path / "cache"),
    }
    plan = reproduce(tables=["2"], cells=["a2i-55"], dry_run=True, **options)
    assert [row["cell"] for row in plan["cells"]] == ["amt", "a2i-55"] and not plan["cells"][0]["done"]
    take, killed = Training._step, []

    def die_once(self: Training, batch: dict[str, Any]) -> None:
        if self.config.name == "a2i-55" and self.position.step == 3 and not killed:
            killed.append(self.position.step)
            raise RuntimeError("killed")
        take(self, batch)

    monkeypatch.setattr(Training, "_step", die_once)
    with pytest.raises(RuntimeError, match="killed"):
        reproduce(tables=["2"], cells=["a2i-55"], **options)
    started: list[tuple[str, int]] = []
    run = Training.run

    def note(self: Training) -> Path:
        started.append((self.config.name, self.position.step))
        return run(self)

    monkeypatch.setattr(Training, "run", note)
    cells = ["a2i-55", "fusion", "multitask", "i2a-front-50", "a2i-reh-50"]
    summary = reproduce(tables=["2", "beyond"], cells=cells, **options)
    assert started[0] == ("a2i-55", 2), "amt was done, and a2i-55 went on from its checkpoint"
    assert "amt" not in [name for name, _ in started]
    assert set(summary["cells"]) == {"amt", "omr", *cells}
    assert set(summary["cells"]["fusion"]["ser"]) > {"image", "audio", "fused (paper)"}
    assert summary["cells"]["a2i-55"]["transfer"][0]["frozen"] == ["dense"]
    assert list(summary["cells"]["i2a-front-50"]["ser"]) == ["audio"]
    assert set(summary["cells"]["multitask"]["ser"]) == {"image", "audio"}
    assert summary["staves"] == {"train": 8, "validation": 2, "test": 2}
    seed = tmp_path / "out" / "seed0"
    assert (seed / "amt" / "model" / "model.safetensors").is_file() and not list(seed.rglob("checkpoint-*"))
    assert not (seed / "a2i-reh-50" / "model").exists() and (seed / "a2i-reh-50" / "log.jsonl").is_file()
    assert all(row["done"] for row in reproduce(tables=["2"], cells=["a2i-55"], dry_run=True, **options)["cells"])


def test_a_cell_is_made_by_one_process_at_a_time(tmp_path: Path) -> None:
    import threading

    from hfmusic.reproduce.runner import Bench

    bench, file = Bench(SCALES["small"], places(tmp_path)), tmp_path / "seed0" / "omr.json"
    made: list[Path] = []

    def make(_: object, __: int, file: Path) -> None:
        made.append(file)
        threading.Event().wait(0.2)
        file.write_text('{"ser": {}}', encoding="utf-8")

    bench._run = make  # type: ignore[method-assign]
    threads = [threading.Thread(target=bench.run, args=(all_cells()["omr"], 0)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [file]


def test_staves_are_shared_and_works_are_held_out(folders: Folders, tmp_path: Path) -> None:
    from hfmusic.reproduce.staves import choose

    config = replace(base_recipe("small"), cache_dir=str(tmp_path))
    every = choose(config, folders, Curation(), stride=4)
    assert [len(every.ids[part]) for part in ("train", "validation", "test")] == [8, 2, 2]
    some = choose(config, folders, Curation(held_out=2), stride=4)
    moved = set(every.ids["train"]) - set(some.ids["train"])
    assert moved and moved == (set(some.ids["validation"]) | set(some.ids["test"])) - set(
        every.ids["validation"]
    ) - set(every.ids["test"])
    assert not set(some.ids["train"]) & (set(some.ids["validation"]) | set(some.ids["test"]))
    assert len(choose(config, folders, Curation(limits={"train": 3}), stride=4).ids["train"]) == 3
    some.write(tmp_path / "lists")
    assert Chosen.read(tmp_path / "lists") == some
    with pytest.raises(ValueError, match="share no train staves that can be taken"):
        choose(config, folders, Curation(max_tokens=1), stride=4)
    with pytest.raises(ValueError, match="share no train staves that can be taken"):
        choose(config, folders, Curation(sources=("rism-",)), stride=4)
