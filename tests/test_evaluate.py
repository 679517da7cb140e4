"""The verb `evaluate`, on a model that reads by looking the answer up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from hfmusic.evaluate import evaluate, write_metrics
from hfmusic.hub import Loaded
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.processing_ctc import make_processor
from hfmusic.symbolic.vocabulary import load_vocabulary
from hfmusic.testing.staves import write_dataset, write_pairs

TOKENS = load_vocabulary("semantic").tokens


class Says(nn.Module):
    """A model that reads the same tokens on every staff."""

    def __init__(self, *tokens: str) -> None:
        super().__init__()
        self.device = torch.device("cpu")
        self.ids = load_vocabulary("semantic").encode(tokens)
        self.name_or_path = "says"
        self.widths: list[tuple[int, ...]] = []

    def forward(self, features: torch.Tensor, attention_mask: torch.Tensor, modality: str) -> Any:
        self.widths.append(tuple(attention_mask.sum(1).tolist()))
        logits = torch.zeros(len(features), features.shape[-1] // 2, len(TOKENS) + 1)
        logits[:, :, -1] = 10.0
        for place, index in enumerate(self.ids):
            logits[:, 2 * place + 1, index] = 20.0

        class Output:
            pass

        output = Output()
        output.logits = logits  # type: ignore[attr-defined]
        return output


def says(*tokens: str) -> Loaded:
    return Loaded(Says(*tokens), make_processor(TOKENS, height=48, mode="staff", staff_space=4.0))  # type: ignore[arg-type]


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    folder = write_pairs(tmp_path / "pairs", count=3, notes=3)
    for number, text in enumerate(["clef-G2\tbarline", "clef-G2", "clef-G2\tbarline\tbarline\tnote-C4_half"]):
        (folder / f"{number}.semantic").write_text(text, encoding="utf-8")
    return folder


def test_rates_by_hand(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = evaluate(says("clef-G2", "barline"), pairs, batch_size=2)
    # edits 0, 1, 2 of 2 + 1 + 4 symbols; two of three sequences wrong
    assert [(row["metric"], row["unit"]) for row in rows] == [("symbol_error_rate", "%"), ("sequence_error_rate", "%")]
    assert rows[0]["value"] == pytest.approx(300 / 7) and rows[1]["value"] == pytest.approx(200 / 3)
    for row in rows:
        assert {"dataset": "pairs", "split": "test", "n": 3, "scale": "full", "seed": 0}.items() <= row.items()
        assert row["command"].startswith("hfmusic evaluate says ") and row["version"] and len(row["date"]) == 10
    table = capsys.readouterr().err
    assert "barline" in table and "missing" in table


def test_a_picture_that_cannot_be_read_counts_as_read_empty(pairs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pairs / "0.png").write_bytes(b"no picture")
    rows = evaluate(says("clef-G2", "barline"), pairs)
    assert rows[0]["n"] == 3 and rows[0]["value"] == pytest.approx(500 / 7)
    assert "not read: 0: 0: not a picture" in capsys.readouterr().err


def test_a_dataset_has_splits_columns_and_samples(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "primus", train=6, other=3)
    rows = evaluate(says("clef-G2"), data, split="train", image="distorted", n=2, seed=5)
    about = {"dataset": "primus", "split": "train", "image": "distorted", "n": 2, "scale": "2 of 6 staves", "seed": 5}
    assert about.items() <= rows[0].items()
    assert evaluate(says("clef-G2"), data)[0]["n"] == 3


def test_a_batch_reads_what_each_staff_reads_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = CRNNConfig(vocab_size=len(TOKENS), input_height=48, hidden_size=16, num_recurrent_layers=1)
    loaded = Loaded(CRNNForCTC(config).eval(), says().processor)
    folder = write_pairs(tmp_path / "pairs", count=5)
    alone, together = (evaluate(loaded, folder, batch_size=size) for size in (1, 5))
    assert [row["value"] for row in alone] == [row["value"] for row in together]


def test_metrics_are_merged(pairs: Path, tmp_path: Path) -> None:
    out = tmp_path / "metrics.json"
    kept = {"metric": "symbol_error_rate", "dataset": "elsewhere", "split": "test", "value": 1.0}
    out.write_text(json.dumps([kept]), encoding="utf-8")
    evaluate(says("clef-G2"), pairs, out=out)
    second = evaluate(says("clef-G2", "barline"), pairs, out=out)
    assert json.loads(out.read_text(encoding="utf-8")) == [kept, *second]
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["metrics.json"]


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ('{"value": 1}', "not a list of rows")])
def test_what_is_no_metrics_file_is_left_alone(tmp_path: Path, text: str, message: str) -> None:
    out = tmp_path / "metrics.json"
    out.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        write_metrics(out, [])
    assert out.read_text(encoding="utf-8") == text


def test_wrong_arguments_are_named(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="method must be one of greedy, beam, meter, got 'best'"):
        evaluate(says(), pairs, method="best")
    with pytest.raises(ValueError, match="dataset must be a folder"):
        evaluate(says(), tmp_path / "none")
    with pytest.raises(ValueError, match="no model 'nobody'"):
        evaluate("nobody", pairs)
