"""What a recipe trains on: labels, pictures that fail, which of clean and distorted."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hfmusic.data.augment import AugmentConfig
from hfmusic.testing.staves import write_dataset
from hfmusic.training.config import load_recipe
from hfmusic.training.data import TrainingStaves, training_loader, training_staves, validation_staves


class Flat:
    """24 rows; a JPEG (distorted) comes out darker, so that the two can be told apart."""

    def __call__(self, encoded: bytes) -> np.ndarray:
        image = Image.open(io.BytesIO(encoded))
        return np.full((24, image.width // 4), 0.25 if image.format == "PNG" else 0.75, np.float32)


def staves(path: Path, stride: int = 2) -> TrainingStaves:
    return training_staves(load_recipe(path), {"image": Flat()}, lambda width: width // stride, width_stride=stride)


@pytest.mark.parametrize(("probability", "values"), [(0.0, {64}), (1.0, {191}), (0.5, {64, 191})])
def test_clean_and_distorted_are_mixed(recipe: Any, dataset: Path, probability: float, values: set[int]) -> None:
    made = staves(recipe("mix", train=[{"path": str(dataset), "distorted_probability": probability}]))
    made.augmentation = AugmentConfig(probability=0.0)
    assert {int(made[(index, serial)]["features"][0, 0]) for index in range(10) for serial in range(12)} == values


def test_an_item_follows_from_its_serial(recipe: Any) -> None:
    made = staves(recipe("serial", augment={}))
    first, again, other = made[(3, 11)], made[(3, 11)], made[(3, 12)]
    assert np.array_equal(first["features"], again["features"])
    assert not np.array_equal(first["features"], other["features"])
    assert first["labels"].tolist() == other["labels"].tolist()


def test_staves_that_cannot_be_spelled_are_left_out(recipe: Any) -> None:
    path = recipe("narrow")
    widest = max(len(entry) for entry in staves(path).sets[0].labels)
    assert widest > 5
    with pytest.raises(ValueError, match="nothing to train on"):
        staves(path, stride=200)


def test_unknown_tokens_are_left_out(recipe: Any, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    folder = write_dataset(tmp_path / "odd", train=4, other=1)
    path = folder / "train-00000-of-00001.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[1]["semantic"] += "\tnote-H4_quarter"
    import pyarrow as pa

    pq.write_table(pa.Table.from_pylist(rows), path)
    made = staves(recipe("odd", train=[{"path": str(folder)}]))
    assert len(made) == 3


def test_two_datasets_are_weighted(recipe: Any, dataset: Path, tmp_path: Path) -> None:
    other = write_dataset(tmp_path / "other", train=5, other=1, seed=9)
    path = recipe("two", train=[{"path": str(dataset), "weight": 2.0}, {"path": str(other)}])
    made = staves(path)
    assert len(made) == 15
    epoch = np.concatenate(made.batches(load_recipe(path)).epoch(0))
    assert (epoch < 10).sum() == 20 and (epoch >= 10).sum() == 5


def test_workers_give_what_none_gives(recipe: Any) -> None:
    def features(workers: int) -> list[np.ndarray]:
        path = recipe("workers", augment={}, num_workers=workers)
        loader = iter(training_loader(staves(path), load_recipe(path), start=2))
        return [next(loader)["input_features"].numpy() for _ in range(4)]

    assert all(np.array_equal(*pair) for pair in zip(features(0), features(1), strict=True))


def test_validation_is_sorted_by_width_with_its_references(recipe: Any) -> None:
    (entry,) = validation_staves(load_recipe(recipe("valid")), {"image": Flat()})
    widths = [features.shape[1] for features in entry.features]
    assert widths == sorted(widths) and len(entry.references) == 4
    assert entry.label == "clean" and all(reference[0] == "clef-G2" for reference in entry.references)


def test_validation_without_any_staff_is_an_error(recipe: Any) -> None:
    def fails(image: Image.Image) -> np.ndarray:
        raise ValueError("no staff found")

    with pytest.raises(ValueError, match="nothing to validate on in .*: 4 without features"):
        validation_staves(load_recipe(recipe("blank", num_proc=1)), {"image": fails})


def test_a_part_of_a_dataset_is_taken(recipe: Any, dataset: Path, tmp_path: Path) -> None:
    def taken(**options: Any) -> list[str]:
        made = staves(recipe("part", train=[{"path": str(dataset), **options}]))
        return [made[(index, 0)]["id"] for index in range(len(made))]

    everything = taken()
    assert taken(n=3) == everything[:3]
    wanted = [everything[7], "of no dataset", everything[2]]
    (tmp_path / "ids.txt").write_text("\n".join(wanted), encoding="utf-8")
    assert taken(ids=str(tmp_path / "ids.txt")) == [everything[7], everything[2]]
    assert taken(prefix=everything[4]) == everything[4:5]
    with pytest.raises(ValueError, match="ids must be a text file of ids, got 'none.txt'"):
        taken(ids="none.txt")


def test_wide_staves_are_left_out(recipe: Any, dataset: Path) -> None:
    widths = sorted(staves(recipe("wide")).sets[0].widths.tolist())
    made = staves(recipe("wide", train=[{"path": str(dataset), "max_width": widths[4]}]))
    assert sorted(made.sets[0].widths.tolist()) == [width for width in widths if width <= widths[4]]


def test_a_recipe_that_reads_refuses_sound(recipe: Any, dataset: Path) -> None:
    with pytest.raises(ValueError, match="takes image, but .* is to be used for its audio"):
        staves(recipe("ear", train=[{"path": str(dataset), "modality": "audio"}]))
