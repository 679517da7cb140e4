"""The feature cache: right values, complete or absent, resumable, rebuilt when anything changes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hfmusic.data import feature_cache as module
from hfmusic.data.feature_cache import FeatureCache, clear_partial, feature_cache
from hfmusic.testing.staves import write_dataset


class Shrink:
    """A picture, 24 rows high, ink = 1; refuses what is narrower than `least`."""

    def __init__(self, least: int = 0) -> None:
        self.least, self.calls = least, 0

    def __call__(self, encoded: bytes) -> np.ndarray:
        image = Image.open(io.BytesIO(encoded))
        self.calls += 1
        if image.width < self.least:
            raise ValueError("too narrow")
        return 1 - np.asarray(image.convert("L").resize((image.width // 5, 24)), np.float32) / 255


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "primus", train=9, other=2)


def build(dataset: Path, extract: Shrink, description: str = "shrink", num_proc: int = 1) -> FeatureCache:
    return feature_cache(
        dataset, extract, description=description, cache_dir=dataset.parent / "cache", num_proc=num_proc
    )


def test_values_are_the_features_times_255(dataset: Path) -> None:
    from hfmusic.data.staves import read_staves

    cache = build(dataset, Shrink())
    assert cache.height == 24 and len(cache) == 9 and not cache.failed
    for row, stave in enumerate(read_staves(dataset, split="train")):
        expected = np.rint(Shrink()(stave.encoded) * 255)
        assert np.array_equal(cache[row], expected.astype(np.uint8))
        assert cache.ids[row] == stave.id and cache.texts[row] == stave.text
        assert cache.widths[row] == expected.shape[1]


def test_it_is_built_once_for_one_description(dataset: Path) -> None:
    extract = Shrink()
    build(dataset, extract)
    build(dataset, extract)
    assert extract.calls == 9
    build(dataset, extract, "another")
    assert extract.calls == 18


def test_another_dataset_is_another_cache(dataset: Path, tmp_path: Path) -> None:
    first = build(dataset, Shrink())
    other = write_dataset(tmp_path / "b" / "primus", train=9, other=2, seed=1)
    second = feature_cache(other, Shrink(), description="shrink", cache_dir=dataset.parent / "cache")
    assert first.folder != second.folder


def test_pictures_that_fail_are_named(dataset: Path) -> None:
    widths = sorted(int(width) for width in build(dataset, Shrink()).widths)
    cache = build(dataset, Shrink(least=5 * widths[4]), "narrow fail")
    assert len(cache) == 9 - len(cache.failed) and 1 <= len(cache.failed) <= 5
    assert {entry["error"] for entry in cache.failed} == {"too narrow"}
    assert not {entry["id"] for entry in cache.failed} & set(cache.ids)


def test_if_all_fail_the_cache_is_empty(dataset: Path) -> None:
    cache = build(dataset, Shrink(least=10_000))
    assert len(cache) == 0 and len(cache.failed) == 9


def test_a_killed_build_continues_and_gives_the_same(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = build(dataset, Shrink(), "whole")
    write, done = module._write_part, []

    def dies(chunk: object, extract: Shrink, part: Path) -> int:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(part)
        return write(chunk, extract, part)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_write_part", dies)
    with pytest.raises(KeyboardInterrupt):
        build(dataset, Shrink())
    monkeypatch.setattr(module, "_write_part", write)
    extract = Shrink()
    resumed = build(dataset, extract)
    assert extract.calls == 1  # the third row group holds one
    assert np.array_equal(np.asarray(whole.features), np.asarray(resumed.features))
    indices = [json.loads((cache.folder / "index.json").read_text(encoding="utf-8")) for cache in (whole, resumed)]
    assert indices[0] == indices[1]


def test_processes_give_what_one_gives(dataset: Path) -> None:
    one, two = build(dataset, Shrink(), "one"), build(dataset, Shrink(), "two", num_proc=2)
    assert np.array_equal(np.asarray(one.features), np.asarray(two.features)) and one.ids == two.ids


def test_what_killed_builds_left_can_be_cleared(dataset: Path) -> None:
    cache = build(dataset, Shrink())
    left = cache.folder.with_name("x.partial")
    left.mkdir()
    clear_partial(cache.folder.parent)
    assert not left.exists() and cache.folder.exists()
