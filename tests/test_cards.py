"""The cards of the shipped models: from one template, numbers from metrics.json, snippets that run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import soundfile
import yaml

from hfmusic.cards import citations, eval_results, model_card, results_table, write_card
from hfmusic.hub import shipped_models
from hfmusic.packing import split_card
from hfmusic.testing.local_hub_cards import complaints

ROOT = Path(__file__).parent.parent
MODELS = sorted(path.parent for path in (ROOT / "model_cards").glob("*/card.yaml"))


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_a_card_is_what_the_template_makes_and_its_metadata_is_valid(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert text == model_card(folder), f"run: hfmusic card model_cards/{folder.name}"
    results = yaml.safe_load((folder / ".eval_results" / "hfmusic.yaml").read_text(encoding="utf-8"))
    assert results == eval_results(json.loads((folder / "metrics.json").read_text(encoding="utf-8")))
    assert complaints(text, "model") == []
    assert "{{ " not in text and "TODO" not in text
    for part in ("## Results", "## What it gets wrong", "## Training", "| parameters |", "## Citation"):
        assert part in text


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_every_measured_number_is_in_the_card(folder: Path) -> None:
    text = (folder / "README.md").read_text(encoding="utf-8")
    columns = yaml.safe_load((folder / "card.yaml").read_text(encoding="utf-8"))["results"]["columns"]
    shown = {column["metric"] for column in columns}
    for row in json.loads((folder / "metrics.json").read_text(encoding="utf-8")):
        assert f"`{row['command']}`" in text
        figures = (f"{row['value']:.2f} %", f"{row['value']:.1f} %") if row["unit"] == "%" else (f"{row['value']:.3f}",)
        assert row["metric"] not in shown or any(figure in text for figure in figures)


def test_every_shipped_model_has_a_card_of_the_template() -> None:
    assert [folder.name for folder in MODELS] == shipped_models()


def snippets(folder: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_the_snippets_run_and_agree(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model_cards").symlink_to(ROOT / "model_cards")
    shutil.copyfile(ROOT / "examples" / "staves" / "photograph_small.jpg", tmp_path / "photo.jpg")
    sound, rate = soundfile.read(ROOT / "examples" / "sounds" / "photograph_in_bad_light.flac")
    soundfile.write(tmp_path / "melody.wav", sound, rate)
    song, rate = soundfile.read(ROOT / "examples" / "recordings" / "guitar.flac")
    soundfile.write(tmp_path / "song.wav", song[: 6 * rate], rate)
    monkeypatch.chdir(tmp_path)
    by_package, by_transformers = snippets(folder)
    first: dict[str, Any] = {}
    exec(by_package, first)
    *lines, last = by_transformers.strip().splitlines()
    second: dict[str, Any] = {}
    exec("\n".join([*lines, f"tokens = {last}"]), second)
    assert len(second["tokens"]) > 5
    if "vector = " in by_package:
        assert first["vector"] == pytest.approx(second["tokens"], abs=1e-5)
    elif "photo.jpg" in by_package:  # a recording's tempo is found by hfmusic only
        assert list(first["result"].tokens) == list(second["tokens"])
    elif "song.wav" in by_package:
        assert [note.pitch_midi for note in first["song"].notes] == [note.pitch_midi for note in second["notes"]]
        assert (tmp_path / "song.mid").read_bytes()[:4] == b"MThd"
    else:
        assert first["result"].tempo > 0 and len(first["result"].tokens) > 5


def copy(tmp_path: Path) -> Path:
    """A model folder to spoil, with the one that it is compared with."""
    for name in ("crnn-omr", "r2crnn-omr-semantic"):
        (tmp_path / name).mkdir()
        for path in (ROOT / "model_cards" / name).glob("*.*"):
            if path.suffix in (".json", ".yaml", ".safetensors") and path.is_file():
                shutil.copyfile(path, tmp_path / name / path.name)
    return tmp_path / "r2crnn-omr-semantic"


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "card.yaml").unlink(), "card.yaml: missing"),
        (lambda folder: (folder / "card.yaml").write_text("title: [\n"), "card.yaml: not YAML"),
        (lambda folder: (folder / "card.yaml").write_text("title: x\n"), "card.yaml: lacks license, takes"),
        (lambda folder: (folder / "metrics.json").write_text("[]"), "has no symbol_error_rate of dataset primus_pairs"),
        (lambda folder: (folder.parent / "crnn-omr" / "metrics.json").write_text("[]"), "crnn-omr: metrics.json has"),
        (lambda folder: (folder / "training_log.json").unlink(), "training_log.json: missing"),
        (lambda folder: (folder / "train_config.json").write_text("{"), "train_config.json: not JSON"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(tmp_path: Path, harm: Callable[[Path], Any], said: str) -> None:
    folder = copy(tmp_path)
    assert [path.name for path in write_card(folder)] == ["README.md", "hfmusic.yaml"]
    harm(folder)
    with pytest.raises(ValueError, match=said) as caught:
        write_card(folder)
    assert "\n" not in str(caught.value)


def test_a_table_by_hand(tmp_path: Path) -> None:
    row = {"metric": "f1", "unit": "1", "dataset": "a", "n": 1200, "command": "do"}
    (tmp_path / "peer").mkdir()
    (tmp_path / "peer" / "metrics.json").write_text(json.dumps([row | {"value": 0.25}]))
    columns = [{"title": "F1", "metric": "f1"}, {"title": "peer", "metric": "f1", "peer": "peer"}]
    rows = [{"where": {"dataset": "a"}, "labels": {"music": "tunes"}}]
    table = results_table({"columns": columns, "rows": rows}, [row | {"value": 0.5}], tmp_path / "model")
    assert table.splitlines() == [
        "| music | n | F1 | peer | command |",
        "|---|---|---|---|---|",
        "| tunes | 1,200 | 0.500 | 0.250 | `do` |",
    ]


def test_papers_are_cited_by_name() -> None:
    assert citations(["smc2022"]).count("@") == 1
    with pytest.raises(ValueError, match="cites must be of smc2022.*got 'none'"):
        citations(["none"])


def test_metadata_is_split_from_text() -> None:
    assert split_card("# A\n") == ({}, "# A\n")
    with pytest.raises(ValueError, match="a mapping"):
        split_card("---\n- a\n---\n")
