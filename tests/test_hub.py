"""Where a model's name is looked up, and what the shipped folders hold."""

from __future__ import annotations

import filecmp
import json
from pathlib import Path

import pytest

import hfmusic
from hfmusic.hub import SHIPPED, find_model, load, shipped_models

ROOT = Path(__file__).parent.parent
MODELS = sorted((ROOT / "model_cards").iterdir())


def test_the_shipped_model_is_found_by_name_and_by_path() -> None:
    assert "crnn-omr" in shipped_models()
    folder = find_model("crnn-omr")
    assert Path(folder).parent in SHIPPED
    assert find_model(folder) == folder


def test_a_hub_name_is_left_to_the_hub() -> None:
    assert find_model("owner/model") == "owner/model"


@pytest.mark.parametrize("name", ["nothing", "", "a/b/c", "./here", "/none/there", "~/x"])
def test_no_model_is_one_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="crnn-omr|not a model folder"):
        find_model(name)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not a model folder"):
        find_model(str(tmp_path))


def test_a_damaged_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "crnn"')
    with pytest.raises(ValueError, match="cannot be loaded") as caught:
        load(str(tmp_path))
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_never_loaded(tmp_path: Path) -> None:
    for path in Path(find_model("crnn-omr")).iterdir():
        if path.is_file() and path.name != "model.safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ValueError, match="cannot be loaded"):
        load(str(tmp_path))


def test_load_is_ready_to_read() -> None:
    model, processor = hfmusic.load("crnn-omr")
    assert not model.training
    assert processor.encoding == "semantic"


@pytest.mark.parametrize("folder", MODELS, ids=lambda path: path.name)
def test_a_shipped_folder_carries_today_s_code_and_measured_numbers(folder: Path) -> None:
    code = sorted(folder.glob("*.py"))
    assert code
    for path in code:
        assert filecmp.cmp(path, ROOT / "hfmusic" / "models" / path.name, shallow=False), path
    rows = json.loads((folder / "metrics.json").read_text())
    wanted = {"metric", "value", "unit", "dataset", "split", "n", "scale", "seed", "command", "date", "version"}
    assert rows
    for row in rows:
        assert wanted <= set(row)
    assert (folder / "README.md").read_text().startswith("---\n")
    assert (folder / "train_config.json").is_file()
