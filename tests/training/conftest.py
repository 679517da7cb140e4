from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hfmusic.testing.recordings import write_recordings
from hfmusic.testing.rolls import write_rolls
from hfmusic.testing.sheets import write_sheets
from hfmusic.testing.staves import write_dataset

TINY = {
    "processor": {"mode": "staff", "height": 48, "staff_space": 4.0},
    "model": {
        "input_height": 48,
        "conv_channels": [8, 16],
        "conv_kernels": [[3, 3], [3, 3]],
        "pool_sizes": [[2, 2], [2, 2]],
        "hidden_size": 48,
        "num_recurrent_layers": 1,
        "dropout": 0.1,
        "batch_norm_momentum": 0.1,  # Keras' slow statistics need hundreds of steps to forget where they began
    },
    "factorised_head": True,
    "batch_size": 4,
    "max_steps": 12,
    "evaluate_every": 6,
    "save_every": 4,
    "log_every": 2,
    "num_workers": 0,
    "num_proc": 1,
}


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("staves") / "primus", train=10, other=4)


@pytest.fixture
def recipe(tmp_path: Path, dataset: Path) -> Any:
    """Write a recipe that trains a tiny model on drawn staves: `recipe(name, **changes)` gives its path."""

    def write(name: str, **changes: Any) -> Path:
        raw = {
            **TINY,
            "name": name,
            "train": [{"path": str(dataset), "distorted_probability": 0.5}],
            "validation": [{"path": str(dataset), "name": "clean"}],
            "output_dir": str(tmp_path / "runs"),
            "cache_dir": str(tmp_path / "cache"),
            **changes,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return path

    return write


TINY_TRANSCRIBER = {
    "architecture": "unet_transcriber",
    "model": {
        "hop_length": 320,
        "channels": [8, 12],
        "blocks": [0, 1],
        "hidden_size": 8,
        "harmonics": [1, 2],
        "stem_kernel": [1, 3],
    },
    "crop": {"seconds": 1.28, "validation_seconds": 2.0},
    "batch_size": 2,
    "max_steps": 6,
    "evaluate_every": 3,
    "save_every": 2,
    "log_every": 1,
    "num_workers": 0,
    "eval_batch_size": 2,
}


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recordings(tmp_path_factory.mktemp("recordings") / "played", train=4, other=2)


@pytest.fixture
def hearing_recipe(tmp_path: Path, recordings: Path) -> Any:
    """As `recipe`, of a recipe that trains a tiny transcriber on played notes."""

    def write(name: str, **changes: Any) -> Path:
        raw = {
            **TINY_TRANSCRIBER,
            "name": name,
            "train": [{"path": str(recordings)}],
            "validation": [{"path": str(recordings), "name": "played"}],
            "output_dir": str(tmp_path / "runs"),
            "cache_dir": str(tmp_path / "cache"),
            **changes,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return path

    return write


TINY_TOWER = {"channels": [8, 16], "pools": [[2, 2], [2, 2]], "convolutions": [1, 1], "head": "flatten"}
TINY_PAIRS = {
    "architecture": "audio_score",
    "model": {
        "frames": 24,
        "image_height": 80,
        "image_width": 100,
        "image_scale": 0.5,
        "embedding_size": 12,
        "audio_tower": {**TINY_TOWER, "stem_channels": 4},
        "score_tower": {**TINY_TOWER, "stem_channels": 4, "invert": True},
    },
    "batch_size": 12,
    "max_steps": 6,
    "evaluate_every": 3,
    "save_every": 2,
    "log_every": 1,
    "num_workers": 0,
    "eval_batch_size": 16,
}


@pytest.fixture(scope="session")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    renditions = [("one", 1.0), ("two", 1.1)]
    return write_sheets(tmp_path_factory.mktemp("sheets") / "drawn", train=3, other=2, renditions=renditions)


@pytest.fixture
def pair_recipe(tmp_path: Path, sheets: Path) -> Any:
    """As `recipe`, of a recipe that trains a tiny embedding on drawn pieces."""

    def write(name: str, **changes: Any) -> Path:
        raw = {
            **TINY_PAIRS,
            "name": name,
            "train": [{"path": str(sheets)}],
            "validation": [{"path": str(sheets), "name": "drawn"}],
            "output_dir": str(tmp_path / "runs"),
            "cache_dir": str(tmp_path / "cache"),
            **changes,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return path

    return write


TINY_ROLLS = {
    **TINY_PAIRS,
    "model": {
        "preset": "recommended_roll",
        "frames": 12,
        "beats": 1,
        "embedding_size": 16,
        "audio_tower": {"channels": [8, 12], "pools": [[2, 2]] * 2, "convolutions": [1, 1], "head": "flatten"},
        "score_tower": {"channels": [8, 12], "pools": [[2, 2]] * 2, "convolutions": [1, 1], "head": "flatten"},
    },
    "pairs": {"per_piece": 3, "apart_pixels": 6, "apart_frames": 6},
}


@pytest.fixture(scope="session")
def rolls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rolls(tmp_path_factory.mktemp("rolls") / "drawn", train=2, other=1, beats=8, keys=(0, 5))


@pytest.fixture
def roll_recipe(tmp_path: Path, rolls: Path) -> Any:
    """As `recipe`, of a recipe that trains a tiny embedding of rolls on drawn pieces."""

    def write(name: str, **changes: Any) -> Path:
        raw = {
            **TINY_ROLLS,
            "name": name,
            "train": [{"path": str(rolls), "weight": 0.5}],
            "validation": [{"path": str(rolls), "name": "drawn"}],
            "output_dir": str(tmp_path / "runs"),
            "cache_dir": str(tmp_path / "cache"),
            **changes,
        }
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(raw), encoding="utf-8")
        return path

    return write
