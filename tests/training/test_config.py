"""Recipes: typed, checked, overridable; mistakes are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from hfmusic.training.config import RECIPES, load_recipe
from hfmusic.training.export import build_model

SHIPPED = Path(__file__).parents[2] / "model_cards" / "crnn-omr"


def write(folder: Path, **raw: Any) -> Path:
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({"train": [{"path": "somewhere"}], **raw}), encoding="utf-8")
    return path


def test_a_recipe_is_named_after_its_file(tmp_path: Path) -> None:
    config = load_recipe(write(tmp_path))
    assert config.name == "small" and config.run_dir == Path("runs/small")
    assert config.train[0].path == "somewhere" and config.train[0].split == "train"


def test_overrides_reach_into_parts_and_lists(tmp_path: Path) -> None:
    changes = [
        "optimizer.lr=1e-3",
        "train.0.path=else/where",
        "schedule.kind=constant",
        "max_steps=7",
        "augment.noise=0",
    ]
    config = load_recipe(write(tmp_path), changes)
    assert config.optimizer.lr == 0.001 and config.train[0].path == "else/where"
    assert config.schedule.kind == "constant" and config.max_steps == 7 and config.augment.noise == 0


def test_a_saved_config_is_a_recipe(tmp_path: Path) -> None:
    config = load_recipe("crnn_omr", ["batch_size=3"])
    path = tmp_path / "train_config.json"
    path.write_text(config.to_json(), encoding="utf-8")
    assert load_recipe(path) == config
    assert json.loads(path.read_text(encoding="utf-8"))["batch_size"] == 3


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"lerning_rate": 1}, "unknown key lerning_rate in the recipe"),
        ({"optimizer": {"speed": 1}}, "unknown key optimizer.speed"),
        ({"max_steps": "many"}, "max_steps must be int, got 'many'"),
        ({"max_steps": 1.5}, "max_steps must be int, got 1.5"),
        ({"max_steps": True}, "max_steps must be int, got True"),
        ({"max_steps": 0}, "max_steps must be at least 1, got 0"),
        ({"factorised_head": 1}, "factorised_head must be bool, got 1"),
        ({"train": []}, "at least one dataset under train"),
        ({"train": "dist/primus"}, "train must be a list, got 'dist/primus'"),
        ({"train": ["dist/primus"]}, "train.0. must be a mapping, got 'dist/primus'"),
        ({"train": [{"split": "train"}]}, r"recipe train.0.: .*path"),
        ({"train": [{"path": "a", "weight": 0}]}, "data weight must be positive, got 0"),
        ({"optimizer": {"name": "sgd"}}, 'optimizer.name must be "adam" or "adamw", got \'sgd\''),
        (
            {"schedule": {"kind": "linear"}},
            "schedule.kind must be one of one_cycle, cosine, constant, steps, plateau, got 'linear'",
        ),
        (
            {"architecture": "cnn"},
            "architecture must be one of crnn, .*audio_score, audio_roll_decoder, got 'cnn'",
        ),
        ({"crop": {"seconds": 0}}, "crop.seconds must be positive, got 0"),
        ({"clip_value": 0}, "clip_value must be positive, got 0"),
        ({"sound_augment": {"noise_probability": 2}}, "sound_augment.noise_probability must be 0 to 1, got 2.0"),
        ({"ema_decay": 1.0}, "ema_decay must be 0 to 1, got 1.0"),
        ({"mixed_precision": "fp8"}, "mixed_precision must be one of auto, no, bf16, fp16, got 'fp8'"),
        ({"augment": {"noise": -1}}, "augment.noise must not be negative"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_recipe(write(tmp_path, **raw))


def test_an_override_needs_an_equals_sign(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="an override must be key=value, got 'max_steps'"):
        load_recipe(write(tmp_path), ["max_steps"])


@pytest.mark.parametrize("override", ["train.first.path=x", "train.7.path=x", "max_steps.a=1"])
def test_an_override_must_lead_somewhere(tmp_path: Path, override: str) -> None:
    with pytest.raises(ValueError, match="leads nowhere in the recipe"):
        load_recipe(write(tmp_path, max_steps=3), [override])


def test_no_such_recipe_names_those_there_are() -> None:
    with pytest.raises(
        ValueError,
        match="one of audio_midi_embedding, .*crnn_amt, .*crnn_paper, .*unet_transcriber_stage2, got 'crnn_best'",
    ):
        load_recipe("crnn_best")


def test_a_recipe_is_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n", encoding="utf-8")
    with pytest.raises(ValueError, match="a recipe must be a mapping, got list"):
        load_recipe(path)
    path.write_text("a: [\n", encoding="utf-8")
    with pytest.raises(ValueError, match="list.yaml is not YAML"):
        load_recipe(path)


OF_STAVES = [path.stem for path in RECIPES.glob("*.yaml") if "crnn" in path.stem]


@pytest.mark.parametrize("name", sorted(OF_STAVES))
def test_recipes_that_come_along_build_their_models(name: str) -> None:
    config = load_recipe(name)
    assert config.name == name
    if config.initial is not None:  # a second stage goes on from what the first left: here, from the shipped model
        shipped = SHIPPED if config.processor else SHIPPED.with_name("crnn-amt")
        config = replace(config, initial=str(shipped))
    if config.transfer is not None:
        of_its_own = config.architecture == "r2crnn" and config.vocabulary == "agnostic"  # from its semantic sister
        blocks = ("lstm1", "lstm2") if of_its_own else config.transfer.blocks
        config = replace(config, transfer=replace(config.transfer, source=str(SHIPPED), blocks=blocks))
    built = build_model(config)
    assert built.config.vocab_size == {"semantic": 1781, "agnostic": 758}[config.vocabulary]
    assert built.config.input_height in (96, 128, 256)
    assert set(built.extract) == set(built.config.modalities)
    assert built.config.width_stride == 16 if name == "r2crnn_paper" else built.config.width_stride in (2, 4)


def test_a_first_stage_that_is_not_there_is_one_sentence() -> None:
    config = replace(load_recipe("crnn_omr_stage2"), initial="runs/none/model")
    with pytest.raises(ValueError, match="initial must be a model folder or a Hub name, got 'runs/none/model'"):
        build_model(config)


def test_the_papers_recipe_is_the_papers_network() -> None:
    config = load_recipe("crnn_paper")
    assert (config.optimizer.name, config.optimizer.lr, config.schedule.kind) == ("adam", 1e-3, "constant")
    model = build_model(config).model
    learned = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    # 3,751,247 with the paper's 1,166 tokens and blank; PrIMuS's 1,781 add a row of 512 weights and a bias each
    assert learned == 3_751_247 + (1782 - 1167) * 513
