"""dataset_scripts/primus.py: a datasets builder with the rows of `hfmusic build`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import datasets
import pytest

from hfmusic.build import build_primus

SCRIPT = Path(__file__).parents[1] / "dataset_scripts" / "primus.py"
OPTIONS = {"n": 12, "seed": 5, "sources": ("rism",), "distorted": False}


@pytest.fixture(scope="module")
def script():
    """The module of the script."""
    spec = importlib.util.spec_from_file_location("primus_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["primus_script"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["primus_script"]


def test_it_prepares_the_rows_of_the_verb(script, tmp_path: Path) -> None:
    builder = script.PrimusBuilder(cache_dir=str(tmp_path / "cache"), **OPTIONS)
    builder.download_and_prepare()
    prepared = builder.as_dataset()
    build_primus(tmp_path / "out", num_proc=1, **OPTIONS)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache2"))
    assert list(prepared) == list(loaded)
    for split, part in loaded.items():
        ours, theirs = (d.cast_column("image", datasets.Image(decode=False)) for d in (prepared[split], part))
        assert ours.to_list() == theirs.to_list()


def test_it_prepares_in_two_processes(script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = dict.fromkeys(script.PRIMUS_FEATURES)
    monkeypatch.setattr(script, "PrimusRows", lambda *_: lambda item: empty | {"id": item["id"]})
    builder = script.PrimusBuilder(cache_dir=str(tmp_path), sources=(), generated=600)
    builder.download_and_prepare(num_proc=2)
    ids = builder.as_dataset("train")["id"]
    assert len(set(ids)) == len(ids) > 500


def test_it_streams(script, tmp_path: Path) -> None:
    builder = script.PrimusBuilder(cache_dir=str(tmp_path), **OPTIONS)
    row = next(iter(builder.as_streaming_dataset("train")))
    assert row["image"].mode in ("1", "L") and row["distorted"] is None
    assert row["semantic"].startswith("clef-")


def test_options_are_those_of_the_verb(script, tmp_path: Path) -> None:
    builder = script.PrimusBuilder(cache_dir=str(tmp_path), n=3)
    assert builder.config.settings().sources == ("rism", "music21")
    with pytest.raises(ValueError, match="sources must be among"):
        script.PrimusBuilder(cache_dir=str(tmp_path), sources=("radio",)).config.settings()
