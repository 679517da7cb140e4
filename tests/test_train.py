"""The verb `train`."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from hfmusic.hub import load
from hfmusic.testing.staves import write_dataset
from hfmusic.train import train
from hfmusic.training.config import load_recipe


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    data = str(write_dataset(tmp_path / "primus", train=4, other=2))
    raw = {
        "processor": {"mode": "staff", "height": 48, "staff_space": 4.0},
        "model": {"input_height": 48, "hidden_size": 16, "num_recurrent_layers": 1},
        "train": [{"path": data}],
        "validation": [{"path": data}],
        "max_steps": 3,
        "batch_size": 2,
        "num_workers": 0,
        "num_proc": 1,
        "output_dir": str(tmp_path / "runs"),
        "cache_dir": str(tmp_path / "cache"),
    }
    path = tmp_path / "little.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def test_a_recipe_becomes_a_model_that_reads(recipe: Path, tmp_path: Path) -> None:
    run = train(recipe, overrides=["name=other", "tensorboard=true"])
    assert run == tmp_path / "runs" / "other"
    model, processor = load(str(run / "model"))
    assert not model.training and processor.language_model is not None
    assert processor.image_processor.height == 48 and processor.encoding == "semantic"
    assert list((run / "tensorboard").iterdir())


def test_it_continues_only_when_told_to(recipe: Path) -> None:
    run = train(recipe, overrides=["max_steps=2"])
    with pytest.raises(ValueError, match="holds a training already"):
        train(recipe)
    assert train(recipe, resume=True) == run
    assert (run / "checkpoint-00000003").is_dir()


def test_a_config_is_as_good_as_a_file(recipe: Path) -> None:
    config = load_recipe(recipe, ["max_steps=1"])
    assert (train(config) / "model" / "model.safetensors").is_file()
    with pytest.raises(ValueError, match="overrides go with a recipe file"):
        train(config, overrides=["max_steps=2"])


def test_time_must_be_positive(recipe: Path) -> None:
    with pytest.raises(ValueError, match="max_minutes must be positive, got 0"):
        train(recipe, max_minutes=0)


def test_data_that_is_not_there_is_named(recipe: Path) -> None:
    with pytest.raises(ValueError, match="dataset must be a folder .* got nowhere"):
        train(recipe, overrides=["train.0.path=nowhere"])
