"""Networks as ONNX: ONNX Runtime gives what torch gives, and a file that is not of these weights is not used."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from hfmusic import transcribe
from hfmusic.cli import app
from hfmusic.export import TOLERANCE, check_network, export
from hfmusic.hub import load
from hfmusic.models.configuration_crnn import CRNNConfig
from hfmusic.models.configuration_r2crnn import R2CRNNConfig
from hfmusic.models.modeling_crnn import CRNNForCTC
from hfmusic.models.modeling_r2crnn import R2CRNNForCTC
from hfmusic.models.processing_ctc import make_processor
from hfmusic.runtime import WEIGHTS_KEY, OnnxCTC, fingerprint, onnx_names

exporting = importlib.import_module("hfmusic.export")  # `hfmusic.export` is the verb
ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "tests" / "golden" / "primus" / "000051652-1_2_1.png"
STAVES = sorted((ROOT / "examples" / "staves").iterdir())
TOKENS = ("clef-G2", "note-C4_quarter", "note-D4_quarter", "barline")
SIZES: dict[str, Any] = {
    "input_height": 96,
    "conv_channels": [4, 4],
    "conv_kernels": [[3, 3], [3, 3]],
    "pool_sizes": [[4, 2], [4, 2]],
    "projection_size": 16,
    "hidden_size": 8,
    "vocab_size": len(TOKENS),
}
CONFIGS = {
    "crnn": CRNNConfig(**SIZES),
    "folded, two kinds, with a clock": CRNNConfig(
        **SIZES, fold=2, modalities=["image", "audio"], clock_periods=[8.0, 21.5]
    ),
    "padding read as paper, even kernels": CRNNConfig(
        **{**SIZES, "conv_kernels": [[10, 2], [8, 5]], "projection_size": None}, mask_padding=False
    ),
    "r2crnn": R2CRNNConfig(**SIZES),
}


def untrained(config: CRNNConfig) -> CRNNForCTC:
    """A network with statistics in its batch norms, as training leaves them."""
    torch.manual_seed(0)
    model = R2CRNNForCTC(config) if isinstance(config, R2CRNNConfig) else CRNNForCTC(config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval()


def write_model(folder: Path, config: CRNNConfig) -> Path:
    untrained(config).save_pretrained(folder)
    make_processor(TOKENS, modalities=config.modalities, height=96, mode="staff", audio={"height": 96}).save_pretrained(
        folder
    )
    return folder


@pytest.fixture(scope="module", autouse=True)
def remembered() -> Iterator[None]:
    """Making a network takes seconds: each is made once, and the same bytes are given again."""
    make, known = exporting.network_as_onnx, {}

    def remember(model: PreTrainedModel, modality: str, metadata: dict[str, str]) -> bytes:
        key = (fingerprint_of(model), modality, *metadata.items())
        if key not in known:
            known[key] = make(model, modality, metadata)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "network_as_onnx", remember)
        yield


def fingerprint_of(model: PreTrainedModel) -> str:
    digest = hashlib.sha256(type(model).__name__.encode())
    for name, value in sorted(model.state_dict().items()):
        digest.update(name.encode() + value.numpy().tobytes())
    return digest.hexdigest()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A model folder with its network exported, and what `export` said."""
    folder = write_model(tmp_path_factory.mktemp("made") / "model", CONFIGS["crnn"])
    return folder, export(str(folder))


@pytest.fixture
def folder(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of it, to spoil."""
    return Path(shutil.copytree(made[0], tmp_path / "model"))


def inputs(widths: tuple[int, ...], height: int = 96) -> dict[str, torch.Tensor]:
    mask = (torch.arange(max(widths)) < torch.tensor(widths)[:, None]).long()
    return {"input_features": torch.rand(len(widths), 1, height, max(widths)), "attention_mask": mask}


@pytest.mark.parametrize("name", CONFIGS)
def test_every_network_gives_what_torch_gives_at_any_batch_and_width(name: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model", CONFIGS[name])
    model, known = untrained(CONFIGS[name]), {WEIGHTS_KEY: fingerprint(folder / "model.safetensors")}
    for modality in model.config.modalities:
        content = exporting.network_as_onnx(model, modality, known)
        assert check_network(content, model, modality) <= TOLERANCE
        network = OnnxCTC(model.config, {modality: content})
        assert network.metadata(modality) == known
        for widths in ((8,), (333,), (9, 1201, 640, 77)):
            batch = inputs(widths)
            with torch.inference_mode():
                wanted = model(**batch, modality=modality)
            found = network(**batch, modality=modality)
            torch.testing.assert_close(found.logits, wanted.logits, atol=1e-4, rtol=0)
            assert found.output_lengths.tolist() == wanted.output_lengths.tolist()


def test_export_says_what_it_wrote(made: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = made
    assert summary["model"] == str(folder)
    assert summary["files"] == [str(folder / "model.onnx")]
    assert summary["weights"] == fingerprint(folder / "model.safetensors")
    assert 0 <= summary["difference"] <= TOLERANCE
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_load_takes_the_network_that_is_there(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    network, plain = load(str(folder)).model, load(str(folder), runtime="torch").model
    assert isinstance(network, OnnxCTC) and isinstance(plain, PreTrainedModel)
    assert not network.training and network.eval() is network
    assert network.name_or_path == str(folder)
    assert network._sessions["image"].get_session_options().intra_op_num_threads == torch.get_num_threads()
    assert isinstance(load(str(folder), runtime="onnx").model, OnnxCTC)
    unmasked = torch.rand(2, 1, 96, 203)
    with torch.inference_mode():
        wanted = plain(unmasked)
    torch.testing.assert_close(network(unmasked).logits, wanted.logits, atol=1e-4, rtol=0)
    assert network(unmasked).output_lengths.tolist() == wanted.output_lengths.tolist() == [50, 50]
    assert not caplog.records


def test_without_a_network_torch_reads(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "model.onnx").unlink()
    assert isinstance(load(str(folder)).model, PreTrainedModel)
    assert not caplog.records
    with pytest.raises(ValueError, match="has no network for ONNX Runtime: run `hfmusic export`"):
        load(str(folder), runtime="onnx")
    with pytest.raises(ValueError, match="runtime must be"):
        load(str(folder), runtime="jax")  # type: ignore[arg-type]


def other_weights(folder: Path) -> None:
    CRNNForCTC(CONFIGS["crnn"]).save_pretrained(folder)


def cut_off(folder: Path) -> None:
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:1000])


def empty(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"")


def another_graph(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "other", [value], [result])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), folder / "model.onnx"
    )


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (other_weights, "model.onnx was not made from these weights"),
        (cut_off, "model.onnx is damaged, or no ONNX file"),
        (empty, "model.onnx is damaged, or no ONNX file"),
        (another_graph, "model.onnx must have input_features, attention_mask, logits, output_lengths, got x, y"),
    ],
)
def test_a_network_that_is_not_this_model_s_is_left_with_one_warning(
    folder: Path, caplog: pytest.LogCaptureFixture, spoil: Any, reason: str
) -> None:
    spoil(folder)
    assert isinstance(load(str(folder)).model, PreTrainedModel)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"{folder}: {reason}; torch reads instead, `hfmusic export` makes it anew"


def test_export_makes_a_bad_network_anew(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cut_off(folder)
    export(str(folder))
    assert isinstance(load(str(folder)).model, OnnxCTC)
    assert not caplog.records


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == package else find(name, *more))


def test_without_onnx_runtime_torch_reads(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    hide(monkeypatch, "onnxruntime")
    assert isinstance(load(str(folder)).model, PreTrainedModel)
    assert not caplog.records
    with pytest.raises(ValueError, match=r"export needs onnxruntime: pip install 'hfmusic\[onnx\]'"):
        export(str(folder))


def test_two_kinds_are_two_networks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = write_model(tmp_path / "model", CONFIGS["folded, two kinds, with a clock"])
    summary = export(str(folder))
    assert [Path(file).name for file in summary["files"]] == ["model_image.onnx", "model_audio.onnx"]
    network, plain = load(str(folder)).model, load(str(folder), runtime="torch").model
    assert isinstance(network, OnnxCTC)
    batch = inputs((222, 130))
    with torch.inference_mode():
        for modality in (None, "image", "audio"):
            wanted = plain(**batch, modality=modality).logits
            torch.testing.assert_close(network(**batch, modality=modality).logits, wanted, atol=1e-4, rtol=0)
    (folder / "model_audio.onnx").unlink()
    assert isinstance(load(str(folder)).model, PreTrainedModel)
    assert "only model_image.onnx of its networks is there" in caplog.text


def test_a_network_that_differs_is_found_out(made: tuple[Path, dict[str, Any]]) -> None:
    content = (made[0] / "model.onnx").read_bytes()
    torch.manual_seed(1)
    with pytest.raises(ValueError, match="logits are .* from torch's; it is not kept"):
        check_network(content, CRNNForCTC(CONFIGS["crnn"]).eval(), "image")
    coarser = CRNNForCTC(CRNNConfig(**{**SIZES, "pool_sizes": [[4, 2], [4, 4]]})).eval()
    with pytest.raises(ValueError, match=r"gives \[\(104, 5\)\] logits where torch gives \[\(52, 5\)\]; it is not"):
        check_network(content, coarser, "image")


def test_nothing_is_written_of_a_network_that_differs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "model.onnx").unlink()
    before = {path.name for path in folder.iterdir()}
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    for out in (None, folder.parent / "other"):
        with pytest.raises(ValueError, match="it is not kept"):
            export(str(folder), out)
    assert {path.name for path in folder.iterdir()} == before
    assert not (folder.parent / "other").exists()


def test_other_lstms_are_refused() -> None:
    with pytest.raises(ValueError, match="only LSTMs of one layer with biases"):
        exporting._OnnxLSTM(nn.LSTM(16, 8, batch_first=True, num_layers=2))


def test_another_folder_becomes_the_model_with_its_network(folder: Path, tmp_path: Path) -> None:
    (folder / "model.onnx").unlink()
    other = tmp_path / "deep" / "other"
    summary = export(str(folder), other)
    assert summary["model"] == str(other)
    assert {path.name for path in other.iterdir()} == {path.name for path in folder.iterdir()} | {"model.onnx"}
    assert isinstance(load(str(other)).model, OnnxCTC)
    assert not (folder / "model.onnx").exists()
    other_weights(other)
    with pytest.raises(ValueError, match="other: holds another model; give an empty folder with -o"):
        export(str(folder), other)


def test_where_nothing_can_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="owner/model is on the Hub: give a folder .* with -o"):
        export("owner/model")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="model: cannot be written; give a folder .* with -o"):
        export(str(folder))


def test_a_model_without_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ValueError, match="model: has no model.safetensors"):
        export(str(folder))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_features": torch.rand(1, 1, 95, 64)}, r"must be \(B, 1, 96, W\), got \(1, 1, 95, 64\)"),
        ({"input_features": torch.rand(96, 64)}, r"must be \(B, 1, 96, W\)"),
        ({"input_features": torch.rand(1, 1, 96, 3)}, "at least 4 columns wide, got 3"),
        (
            {**inputs((64,)), "attention_mask": torch.ones(2, 64)},
            r"must be \(1, 64\) like input_features, got \(2, 64\)",
        ),
        ({**inputs((64,)), "modality": "audio"}, "modality must be one of image, got 'audio'"),
        ({**inputs((64,)), "labels": torch.zeros(1, 2)}, "has no loss"),
    ],
)
def test_wrong_arguments(made: tuple[Path, dict[str, Any]], arguments: dict[str, Any], message: str) -> None:
    model = load(str(made[0])).model
    with pytest.raises(ValueError, match=message):
        model(**arguments)


def test_names_of_files() -> None:
    assert onnx_names(("audio",)) == {"audio": "model.onnx"}
    assert onnx_names(()) == {}


def test_the_command(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.onnx").unlink()
    app(["export", str(folder)], standalone_mode=False)
    assert f"files: ['{folder / 'model.onnx'}']" in capsys.readouterr().out
    with pytest.raises(ValueError, match="not a model folder|no model"):
        app(["export", str(folder / "none")], standalone_mode=False)


def test_the_shipped_reader_reads_the_same_staves(tmp_path: Path) -> None:
    plain = load("crnn-omr", runtime="torch")
    export("crnn-omr", tmp_path / "reader")
    network = load(str(tmp_path / "reader"))
    assert isinstance(network.model, OnnxCTC)
    for staff in [*STAVES, PICTURE]:
        wanted, found = (transcribe(staff, loaded) for loaded in (plain, network))
        assert found.tokens == wanted.tokens
        assert found.spans == wanted.spans
        np.testing.assert_allclose(found.confidences, wanted.confidences, atol=1e-3)
