"""The verb `export`: a model's network as ONNX beside its weights, where `hfmusic.load` finds it.

model folder -> torch graph -> ONNX -> both run over music of many lengths -> kept if they agree.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
import warnings
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from transformers import PreTrainedModel

from hfmusic.files import write_atomic
from hfmusic.hub import find_model, load
from hfmusic.runtime import (
    INPUTS,
    OUTPUTS,
    WEIGHTS,
    WEIGHTS_KEY,
    OnnxTranscriber,
    fingerprint,
    modalities_of,
    onnx_class,
    onnx_names,
)

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
    for modality, name in onnx_names(modalities_of(network.config)).items():
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


class _MaskedTranscriber(nn.Module):
    """A transcriber with tensors alone for arguments and results; frames are a multiple of its `time_stride`."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.network, self.resolutions = cast(nn.Module, model.network), len(model.config.channels) + 1

    def forward(self, input_features: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, ...]:
        masks = [attention_mask.to(input_features.dtype)[:, None, :, None]]
        while len(masks) < self.resolutions:  # real frames come first: a coarser one is real if its first frame is
            masks.append(masks[-1][:, :, ::2])
        return tuple(self.network(input_features, masks, attention_mask.sum(dim=1)).unbind(-1))


class _OnnxLSTM(nn.Module):
    """An LSTM that is exported as ONNX's own: torch's exporter would make a loop over the frames of it."""

    inputs: torch.Tensor
    recurrence: torch.Tensor
    biases: torch.Tensor

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.num_layers != 1 or lstm.proj_size or not lstm.bias:
            raise ValueError(f"only LSTMs of one layer with biases can be exported, got {lstm}")
        self.hidden_size, self.batch_first = lstm.hidden_size, lstm.batch_first
        weights = {name: _onnx_gates(value.detach()) for name, value in lstm.named_parameters()}
        ends = ["l0", "l0_reverse"] if lstm.bidirectional else ["l0"]
        biases = [torch.cat([weights[f"bias_ih_{end}"], weights[f"bias_hh_{end}"]]) for end in ends]
        self.register_buffer("inputs", torch.stack([weights[f"weight_ih_{end}"] for end in ends]))
        self.register_buffer("recurrence", torch.stack([weights[f"weight_hh_{end}"] for end in ends]))
        self.register_buffer("biases", torch.stack(biases))

    def forward(self, hidden: torch.Tensor, lengths: torch.Tensor | None = None) -> tuple[torch.Tensor, None]:
        """(B, T, in) -> (B, T, out), or (T, B, in) -> (T, B, out) as the LSTM was; the last state is not given."""
        frames = hidden.transpose(0, 1) if self.batch_first else hidden
        directions = self.biases.shape[0]
        found = torch.onnx.ops.symbolic(
            "LSTM",
            (frames, self.inputs, self.recurrence, self.biases, *([] if lengths is None else [lengths.int()])),
            {"hidden_size": self.hidden_size, "direction": "bidirectional" if directions == 2 else "forward"},
            dtype=hidden.dtype,
            shape=(frames.shape[0], directions, frames.shape[1], self.hidden_size),
            version=14,
        )
        joined = found.transpose(1, 2).flatten(2)
        return joined.transpose(0, 1) if self.batch_first else joined, None


def _onnx_gates(weights: torch.Tensor) -> torch.Tensor:
    """Rows of torch's gates (input, forget, cell, output) in ONNX's order (input, output, forget, cell)."""
    into, forget, cell, out = weights.chunk(4)
    return torch.cat([into, out, forget, cell])


def _with_onnx_lstms(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of a model whose LSTMs are `_OnnxLSTM`s."""
    model = copy.deepcopy(model)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.LSTM):
                setattr(parent, name, _OnnxLSTM(child))
    return model


def network_as_onnx(model: PreTrainedModel, modality: str, metadata: dict[str, str]) -> bytes:
    """An ONNX file of a model in eval mode: `INPUTS` of any batch and length to its outputs, for one modality.

    `metadata` is kept in the file.
    """
    own = _with_onnx_lstms(model)
    if onnx_class(model.config) is OnnxTranscriber:
        network: nn.Module = _MaskedTranscriber(own)
        items, frames = (torch.export.Dim(name, min=1) for name in ("items", "strides"))
        shapes = {INPUTS[0]: {0: items, 2: model.config.time_stride * frames}}
        shapes[INPUTS[1]] = {0: items, 1: model.config.time_stride * frames}
        outputs: tuple[str, ...] = tuple(model.config.heads)
    else:
        network, dynamic = _FixedModality(own, modality), torch.export.Dim.DYNAMIC
        shapes = {INPUTS[0]: {0: dynamic, 3: dynamic}, INPUTS[1]: {0: dynamic, 1: dynamic}}
        outputs = OUTPUTS
    example = _batch(model.config, (416, 300))
    logging.getLogger(_EXPORTER).setLevel(logging.ERROR)  # torchvision is missing, and need not be there
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter's, about itself
        graph = torch.export.export(network.eval(), example, dynamic_shapes=shapes, strict=False)
        program = torch.onnx.export(
            graph, input_names=INPUTS, output_names=outputs, opset_version=OPSET, dynamo=True, verbose=False
        )
    assert program is not None
    program.model.metadata_props.update(metadata)
    return program.model_proto.SerializeToString()


def check_network(content: bytes, model: PreTrainedModel, modality: str) -> float:
    """The greatest difference of a logit of ONNX Runtime from torch's, over `BATCHES`.

    Raises:
        ValueError: it is over `TOLERANCE`, or frames differ in number.
    """
    network = onnx_class(model.config)(model.config, {modality: content})
    greatest = 0.0
    for lengths in BATCHES:
        features, mask = _batch(model.config, lengths)
        with torch.inference_mode():
            wanted = _logits(model(features, mask, modality=modality))
        found = _logits(network(features, mask, modality=modality))
        if [item.shape for item in found] != [item.shape for item in wanted]:
            raise ValueError(
                f"the exported network gives {[tuple(item.shape) for item in found]} logits where torch gives "
                f"{[tuple(item.shape) for item in wanted]}; it is not kept"
            )
        difference = max(float((one - other).abs().max()) for one, other in zip(found, wanted, strict=True))
        if not difference <= TOLERANCE:  # also not a number
            raise ValueError(f"the exported network's logits are {difference:.2g} from torch's; it is not kept")
        greatest = max(greatest, difference)
    return greatest


def _logits(output: Any) -> list[torch.Tensor]:
    """Each item's real frames, and of several maps each."""
    maps = output.logits if isinstance(output.logits, dict) else {"": output.logits}
    lengths = output.lengths if isinstance(output.logits, dict) else output.output_lengths
    return [values[row, :length] for values in maps.values() for row, length in enumerate(lengths.tolist())]


def _batch(config: Any, lengths: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Features like ink, or like a spectrogram, the same each time, and the mask (B, T) of items so long.

    Items are at least a stride long. Columns of staves (B, 1, height, W), or frames of recordings (B, 1, T, bins).
    """
    heard = onnx_class(config) is OnnxTranscriber
    lengths = tuple(max(length, 1 if heard else config.width_stride) for length in lengths)
    generator = torch.Generator().manual_seed(0)
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    if heard:
        features = torch.rand((len(lengths), 1, max(lengths), config.n_bins), generator=generator)
        return features * mask[:, None, :, None], mask
    features = torch.rand((len(lengths), 1, config.input_height, max(lengths)), generator=generator)
    return (features < 0.15).float() * mask[:, None, None, :], mask
