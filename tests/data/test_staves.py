"""Labelled staves in Parquet and in folders of pairs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from hfmusic.data.staves import read_staves, spread, stave_chunks
from hfmusic.testing.staves import write_dataset, write_pairs


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "primus", train=9, other=3)


def test_parquet_is_read_in_order_and_by_column(dataset: Path) -> None:
    clean = list(read_staves(dataset, split="train"))
    assert [stave.id for stave in clean] == [f"train{number}" for number in range(9)]
    assert clean[0].encoded.startswith(b"\x89PNG") and clean[0].text.split()[0] == "clef-G2"
    assert "\t" not in clean[0].text
    distorted = next(read_staves(dataset, split="train", image="distorted"))
    assert distorted.encoded.startswith(b"\xff\xd8") and distorted.text == clean[0].text


def test_chunks_are_row_groups(dataset: Path) -> None:
    assert [chunk.count for chunk in stave_chunks(dataset, split="train")] == [4, 4, 1]


def test_pairs_lie_flat_or_in_folders(tmp_path: Path) -> None:
    flat = write_pairs(tmp_path / "flat", count=11)
    staves = list(read_staves(flat))
    assert [stave.id for stave in staves] == [str(number) for number in range(11)]  # 2 before 10
    nested = tmp_path / "nested"
    for path in flat.iterdir():
        (nested / path.stem).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, nested / path.stem / path.name)
    assert sorted(stave.text for stave in read_staves(nested)) == sorted(stave.text for stave in staves)


def test_commas_and_tabs_separate_tokens(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "pairs", count=1)
    (folder / "0.semantic").write_text("clef-G2, note-C4_half,\tbarline\n", encoding="utf-8")
    assert next(read_staves(folder)).text == "clef-G2 note-C4_half barline"


def test_a_camera_primus_folder_has_distorted_pictures(tmp_path: Path) -> None:
    folder = write_pairs(tmp_path / "pairs", count=2)
    (folder / "0_distorted.jpg").write_bytes(b"picture")
    found = list(read_staves(folder, image="distorted"))
    assert [(stave.id, stave.encoded) for stave in found] == [("0", b"picture")]


def test_n_staves_are_drawn_by_the_seed(dataset: Path) -> None:
    def ids(seed: int, n: int | None) -> list[str]:
        return [stave.id for stave in read_staves(dataset, split="train", n=n, seed=seed)]

    assert ids(1, 4) == ids(1, 4) and len(ids(1, 4)) == 4
    assert ids(1, 4) == sorted(ids(1, 4))
    assert len({tuple(ids(seed, 4)) for seed in range(5)}) > 1
    assert ids(0, 99) == ids(0, None)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        ids(0, 0)


def test_spread_is_even() -> None:
    assert spread(100, 4).tolist() == [0, 25, 50, 75]
    assert spread(3, None).tolist() == [0, 1, 2]


def test_what_is_not_there_is_named(dataset: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, options, message in (
        (dataset, {"split": "dev"}, "no split 'dev'"),
        (dataset, {"image": "photo"}, "image must be one of image, distorted, audio, got 'photo'"),
        (dataset, {"encoding": "mei"}, "encoding must be one of semantic, agnostic, got 'mei'"),
        (empty, {}, "no pairs of an image and a .semantic file"),
        (tmp_path / "none", {}, "dataset must be a folder"),
    ):
        with pytest.raises(ValueError, match=message):
            stave_chunks(folder, **options)  # type: ignore[arg-type]
