"""dataset_scripts/primus_audio.py: the builder gives the rows of the verb, without torchcodec to write them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import datasets
import pytest

from hfmusic.build import build_primus_audio

SCRIPT = Path(__file__).parents[1] / "dataset_scripts" / "primus_audio.py"
OPTIONS = {"n": 12, "seed": 5, "sources": ("rism",), "expressive": True}


@pytest.fixture(scope="module")
def script():
    """The module of the script."""
    spec = importlib.util.spec_from_file_location("primus_audio_script", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["primus_audio_script"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["primus_audio_script"]


@pytest.fixture
def no_torchcodec(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not installed."""
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setattr(datasets.config, "TORCHCODEC_AVAILABLE", False)


def test_it_prepares_the_rows_of_the_verb_without_torchcodec(script, tmp_path: Path, no_torchcodec: None) -> None:
    builder = script.PrimusAudioBuilder(cache_dir=str(tmp_path / "cache"), **OPTIONS)
    builder.download_and_prepare()
    prepared = builder.as_dataset()
    build_primus_audio(tmp_path / "out", num_proc=1, **OPTIONS)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache2"))
    assert list(prepared) == list(loaded)
    undecoded = datasets.Audio(sampling_rate=22050, decode=False)
    for split, part in loaded.items():
        assert prepared[split].features == part.features
        ours, theirs = (d.cast_column("audio", undecoded) for d in (prepared[split], part))
        assert ours.to_list() == theirs.to_list()


def test_it_prepares_in_two_processes(script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = dict.fromkeys(script.PRIMUS_AUDIO_FEATURES)
    monkeypatch.setattr(script.PrimusAudioSettings, "rows", lambda _: lambda item: empty | {"id": item["id"]})
    builder = script.PrimusAudioBuilder(cache_dir=str(tmp_path), sources=(), generated=600)
    builder.download_and_prepare(num_proc=2)
    ids = builder.as_dataset("train")["id"]
    assert len(set(ids)) == len(ids) > 500


def test_it_streams_and_decodes(script, tmp_path: Path) -> None:
    builder = script.PrimusAudioBuilder(cache_dir=str(tmp_path), **OPTIONS)
    row = next(iter(builder.as_streaming_dataset("train")))
    assert row["audio"]["sampling_rate"] == 22050 and len(row["audio"]["array"]) > 22050
    assert row["semantic"].startswith("clef-") and row["font"] == "FluidR3_GM"


def test_options_are_those_of_the_verb(script, tmp_path: Path) -> None:
    builder = script.PrimusAudioBuilder(cache_dir=str(tmp_path), n=3)
    assert builder.config.settings().plan.sources == ("rism", "music21")
    with pytest.raises(ValueError, match="max_seconds must be above 0"):
        script.PrimusAudioBuilder(cache_dir=str(tmp_path), max_seconds=-1).config.settings()
