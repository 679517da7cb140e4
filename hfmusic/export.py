"""The verb `export`: a model's network as ONNX beside its weights, where `hfmusic.load` finds it.

model folder -> torch graph -> ONNX -> both run over staves of many widths -> kept if they agree.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedModel

from hfmusic.files import write_atomic
from hfmusic.hub import find_model, load
from hfmusic.runtime import INPUTS, OUTPUTS, WEIGHTS, WEIGHTS_KEY, OnnxCTC, fingerprint, onnx_names

# Logits span tens: a difference this small moves a probability by under 0.0003.
TOLERANCE = 1e-3
OPSET = 18
# Real columns of the items of the batches that are compared: a short staff, one that no stride divides, common ones
# together, a long one, and a batch whose shortest item is a single frame.
BATCHES = ((416,), (907,), (1504, 1000, 631), (2400,), (64, 0))
_EXPORTER = "torch.onnx._internal.exporter._registration"
_EXTRA = ("onnx", "onnxruntime", "onnxscript")


def export(model: str, out: str | Path | None = None) -> dict[str, Any]:
    """Write a model's network as ONNX: `model.onnx`, or `model_MODALITY.onnx` where it takes pictures and sounds.

    Args:
        model: as `hfmusic.load` takes it.
        out: a folder that becomes the same model with its network exported. None: the model's own folder.

    Returns:
        `model` the folder, which `hfmusic.load` takes; `files` written; `difference` the greatest of a logit from
        torch's, at most `TOLERANCE`; `weights` their SHA-256.

    Raises:
        ValueError: no such model, a folder that cannot be written or holds another model, a missing extra, or a network
            that ONNX Runtime runs otherwise than torch; nothing is written then.
    """
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"export needs {' and '.join(missing)}: pip install 'hfmusic[onnx]'")
    source = _model_folder(model, own=out is None)
    folder = source if out is None else Path(out)
    weights = _weights_for(source, folder)
    network = cast(PreTrainedModel, load(str(source), runtime="torch").model)
    networks, difference = {}, 0.0
    for modality, name in onnx_names(network.config.modalities).items():
        networks[name] = network_as_onnx(network, modality, {WEIGHTS_KEY: weights})
        difference = max(difference, check_network(networks[name], network, modality))
    if folder.resolve() != source.resolve():
        _copy_model(source, folder)
    files = [write_atomic(folder / name, content) for name, content in networks.items()]
    return {"model": str(folder), "files": [str(file) for file in files], "difference": difference, "weights": weights}


def _model_folder(model: str, *, own: bool) -> Path:
    """The folder of a model, from the Hub if need be; `own`: it is to be written."""
    place = find_model(model)
    if not Path(place).is_dir():
        if own:
            raise ValueError(f"{place} is on the Hub: give a folder for it and its network with -o")
        from huggingface_hub import snapshot_download

        try:
            kinds = ["*.json", "*.md", "*.py", "*.safetensors", "*.txt"]
            return Path(snapshot_download(place, allow_patterns=kinds))
        except Exception as error:  # of the network, of the Hub, of the cache
            raise ValueError(f"model {model!r} cannot be downloaded: {str(error).splitlines()[0]}") from error
    if own and not os.access(place, os.W_OK):
        raise ValueError(f"{place}: cannot be written; give a folder for the model and its network with -o")
    return Path(place)


def _weights_for(source: Path, folder: Path) -> str:
    """The weights' fingerprint; refuses a folder that holds another model's."""
    if not (source / WEIGHTS).is_file():
        raise ValueError(f"{source}: has no {WEIGHTS}")
    weights = fingerprint(source / WEIGHTS)
    other = folder / WEIGHTS
    if (folder / "config.json").is_file() and (not other.is_file() or fingerprint(other) != weights):
        raise ValueError(f"{folder}: holds another model; give an empty folder with -o")
    return weights


def _copy_model(source: Path, folder: Path) -> None:
    """All but networks; config.json, which makes a folder a model, comes last."""
    files = [file for file in source.iterdir() if file.is_file() and file.suffix != ".onnx" and file.name[0] != "."]
    for file in sorted(files, key=lambda file: file.name == "config.json"):
        write_atomic(folder / file.name, file.read_bytes())


class _FixedModality(nn.Module):
    """A model with tensors alone for arguments and results."""

    def __init__(self, model: nn.Module, modality: str) -> None:
        super().__init__()
        self.model, self.modality = model, modality

    def forward(self, input_features: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        output = self.model(input_features, attention_mask, modality=self.modality)
        return output.logits, output.output_lengths


class _OnnxLSTM(nn.Module):
    """An LSTM that is exported as ONNX's own: torch's exporter would make a loop over the frames of it."""

    inputs: torch.Tensor
    recurrence: torch.Tensor
    biases: torch.Tensor

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.num_layers != 1 or lstm.bidirectional or lstm.proj_size or not (lstm.batch_first and lstm.bias):
            raise ValueError(f"only LSTMs of one layer, one direction and batch_first can be exported, got {lstm}")
        self.hidden_size = lstm.hidden_size
        weights = {name: _onnx_gates(value.detach()) for name, value in lstm.named_parameters()}
        self.register_buffer("inputs", weights["weight_ih_l0"][None])
        self.register_buffer("recurrence", weights["weight_hh_l0"][None])
        self.register_buffer("biases", torch.cat([weights["bias_ih_l0"], weights["bias_hh_l0"]])[None])

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, None]:
        """(B, T, in) -> (B, T, hidden_size); the last state is not given."""
        frames = hidden.transpose(0, 1)
        found = torch.onnx.ops.symbolic(
            "LSTM",
            (frames, self.inputs, self.recurrence, self.biases),
            {"hidden_size": self.hidden_size},
            dtype=hidden.dtype,
            shape=(frames.shape[0], 1, frames.shape[1], self.hidden_size),
            version=14,
        )
        return found.squeeze(1).transpose(0, 1), None


def _onnx_gates(weights: torch.Tensor) -> torch.Tensor:
    """Rows of torch's gates (input, forget, cell, output) in ONNX's order (input, output, forget, cell)."""
    into, forget, cell, out = weights.chunk(4)
    return torch.cat([into, out, forget, cell])


def _with_onnx_lstms(model: nn.Module) -> nn.Module:
    """A copy of a model whose LSTMs are `_OnnxLSTM`s."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.LSTM):
                setattr(parent, name, _OnnxLSTM(child))
    return model


def network_as_onnx(model: PreTrainedModel, modality: str, metadata: dict[str, str]) -> bytes:
    """An ONNX file of a model in eval mode: `INPUTS` of any batch and width to `OUTPUTS`, for one modality.

    `metadata` is kept in the file.
    """
    network = _FixedModality(_with_onnx_lstms(model), modality).eval()
    example = _batch(model.config.input_height, (416, 300))
    dynamic = torch.export.Dim.DYNAMIC
    shapes = {"input_features": {0: dynamic, 3: dynamic}, "attention_mask": {0: dynamic, 1: dynamic}}
    logging.getLogger(_EXPORTER).setLevel(logging.ERROR)  # torchvision is missing, and need not be there
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's, about itself
        graph = torch.export.export(network, example, dynamic_shapes=shapes, strict=False)
        program = torch.onnx.export(
            graph, input_names=INPUTS, output_names=OUTPUTS, opset_version=OPSET, dynamo=True, verbose=False
        )
    assert program is not None
    program.model.metadata_props.update(metadata)
    return program.model_proto.SerializeToString()


def check_network(content: bytes, model: PreTrainedModel, modality: str) -> float:
    """The greatest difference of a logit of ONNX Runtime from torch's, over `BATCHES`.

    Raises:
        ValueError: it is over `TOLERANCE`, or frames differ in number.
    """
    network = OnnxCTC(model.config, {modality: content})
    greatest = 0.0
    for features, mask in _batches(model.config):
        with torch.inference_mode():
            wanted = model(features, mask, modality=modality)
        found = network(features, mask, modality=modality)
        same_frames = torch.equal(found.output_lengths, wanted.output_lengths)
        if not same_frames or found.logits.shape != wanted.logits.shape:
            raise ValueError(
                f"the exported network gives {tuple(found.logits.shape)} logits where torch gives "
                f"{tuple(wanted.logits.shape)}; it is not kept"
            )
        difference = float((found.logits - wanted.logits).abs().max())
        if not difference <= TOLERANCE:  # also not a number
            raise ValueError(f"the exported network's logits are {difference:.2g} from torch's; it is not kept")
        greatest = max(greatest, difference)
    return greatest


def _batches(config: Any) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for widths in BATCHES:
        yield _batch(config.input_height, tuple(max(width, config.width_stride) for width in widths))


def _batch(height: int, widths: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (B, 1, height, W) like ink, the same each time, and mask (B, W) of items so wide."""
    generator = torch.Generator().manual_seed(0)
    mask = (torch.arange(max(widths)) < torch.tensor(widths)[:, None]).long()
    features = (torch.rand((len(widths), 1, height, max(widths)), generator=generator) < 0.15).float()
    return features * mask[:, None, None, :], mask
