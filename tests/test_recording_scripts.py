"""dataset_scripts/ for recordings: the builders give the rows of the verb, without torchcodec to write them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import datasets
import numpy as np
import pytest
import soundfile

from hfmusic.build import build

SCRIPTS = Path(__file__).parents[1] / "dataset_scripts"
BUILDERS = {
    "maps": "MapsBuilder",
    "guitarset": "GuitarsetBuilder",
    "synthesized_instruments": "SynthesizedInstrumentsBuilder",
}


@pytest.fixture
def script(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    """The module of the script that a test names."""
    name = f"{request.param}_script"
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{request.param}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[name]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two recordings of MAPS and one of GuitarSet."""
    folder = tmp_path / "data"
    folder.mkdir()
    tone = np.sin(np.arange(4000) / 5) / 2
    for name in ("MAPS_MUS-chpn-p1_ENSTDkCl", "MAPS_MUS-chpn-p2_AkPnBcht"):
        soundfile.write(folder / f"{name}.wav", tone, 16000)
        (folder / f"{name}.tsv").write_text("0.01\t0.2\t60\t80\n")
    soundfile.write(folder / "00_BN1-129-Eb_comp_mic.wav", tone, 16000)
    entry = '{"time": 0.01, "duration": 0.1, "value": 60.0, "confidence": null}'
    string = f'{{"namespace": "note_midi", "annotation_metadata": {{"data_source": "0"}}, "data": [{entry}]}}'
    (folder / "00_BN1-129-Eb_comp.jams").write_text(f'{{"annotations": [{string}]}}')
    return folder


@pytest.mark.parametrize("script", list(BUILDERS), indirect=True)
def test_it_prepares_the_rows_of_the_verb(
    script: ModuleType, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setattr(datasets.config, "TORCHCODEC_AVAILABLE", False)
    name = script.__name__.removesuffix("_script")
    options = {"labels": [str(data)]} if name == "synthesized_instruments" else {"data_dir": str(data)}
    builder = getattr(script, BUILDERS[name])(cache_dir=str(tmp_path / "cache"), **options)
    builder.download_and_prepare()
    prepared = builder.as_dataset()
    build(name, tmp_path / "out", num_proc=1, **options)
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache2"))
    assert set(prepared) == set(loaded)
    undecoded = datasets.Audio(sampling_rate=16000, decode=False)
    for split, part in loaded.items():
        assert prepared[split].features == part.features
        ours, theirs = (d.cast_column("audio", undecoded) for d in (prepared[split], part))
        assert ours.to_list() == theirs.to_list()


@pytest.mark.parametrize("script", list(BUILDERS), indirect=True)
def test_it_says_what_it_needs(script: ModuleType, tmp_path: Path) -> None:
    builder = getattr(script, BUILDERS[script.__name__.removesuffix("_script")])
    with pytest.raises(ValueError, match="give data_dir|labels must name"):
        builder(cache_dir=str(tmp_path)).download_and_prepare()


@pytest.mark.parametrize("script", ["maps", "synthesized_instruments"], indirect=True)
def test_offsets_are_an_option(script: ModuleType, data: Path) -> None:
    config = getattr(script, BUILDERS[script.__name__.removesuffix("_script")]).BUILDER_CONFIG_CLASS
    options = {"labels": [str(data)]} if hasattr(config, "labels") else {"data_dir": str(data)}
    assert config(name="keys", offsets="keys", **options).rows().offsets == "keys"
