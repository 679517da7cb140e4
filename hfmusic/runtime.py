"""The exported network of a model, run by ONNX Runtime in the place of the torch model of `hfmusic.hub.Loaded`.

`hfmusic export` writes the files; a file is used only with the weights that it was made from. onnxruntime is an
optional extra, and nothing here needs more than it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers.utils import cached_file

from hfmusic.models.modeling_crnn import CTCOutput
from hfmusic.models.modeling_unet_transcriber import TranscriberOutput

logger = logging.getLogger(__name__)

WEIGHTS = "model.safetensors"
WEIGHTS_KEY = "hfmusic.weights_sha256"  # of the ONNX file's metadata
INPUTS = ("input_features", "attention_mask")
OUTPUTS = ("logits", "output_lengths")  # of models with CTC


def onnx_names(modalities: Sequence[str]) -> dict[str, str]:
    """Name of the ONNX file of each modality.

    >>> onnx_names(["image"])
    {'image': 'model.onnx'}
    >>> onnx_names(["image", "audio"])
    {'image': 'model_image.onnx', 'audio': 'model_audio.onnx'}
    """
    if len(modalities) == 1:
        return {modalities[0]: "model.onnx"}
    return {modality: f"model_{modality}.onnx" for modality in modalities}


def fingerprint(weights: str | Path) -> str:
    """SHA-256 of a weights file, in hex."""
    with Path(weights).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class OnnxNetwork:
    """Called as the torch model is, on the CPU, and gives the same output; it cannot train.

    Args:
        config: the model's.
        networks: the path or the bytes of the ONNX file of each of the config's modalities (`modalities_of`).
        name_or_path: where the model came from.
        threads: of the CPU. None: as many as torch uses now.

    Raises:
        ValueError: what is no ONNX file, or one with other inputs or outputs.
    """

    training = False
    device = torch.device("cpu")

    def __init__(
        self,
        config: Any,
        networks: Mapping[str, str | Path | bytes],
        *,
        name_or_path: str = "",
        threads: int | None = None,
    ) -> None:
        self.config, self.name_or_path = config, name_or_path
        self._sessions = {
            modality: _session(network, self.outputs(), threads or torch.get_num_threads())
            for modality, network in networks.items()
        }

    def outputs(self) -> tuple[str, ...]:
        """Names of what the ONNX files give."""
        raise NotImplementedError

    def __call__(self, input_features: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: Any) -> Any:
        """The output of the torch model."""
        raise NotImplementedError

    def eval(self) -> OnnxNetwork:
        """Itself: there is no other mode."""
        return self

    def metadata(self, modality: str) -> dict[str, str]:
        """What was written into the ONNX file of a modality."""
        return dict(self._sessions[modality].get_modelmeta().custom_metadata_map)

    def _run(self, modality: str, features: torch.Tensor, mask: torch.Tensor) -> list[torch.Tensor]:
        values = (features.detach().float().cpu().numpy(), mask.long().cpu().numpy())
        found = self._sessions[modality].run(list(self.outputs()), dict(zip(INPUTS, values, strict=True)))
        return [torch.from_numpy(value) for value in found]


def mask_for(mask: torch.Tensor | None, batch: int, length: int) -> torch.Tensor:
    """The mask (batch, length) of a call: all is real where none was given.

    Raises:
        ValueError: one of another shape.
    """
    if mask is None:
        return torch.ones((batch, length), dtype=torch.long)
    if mask.shape != (batch, length):
        given = tuple(mask.shape)
        raise ValueError(f"attention_mask must be ({batch}, {length}) like input_features, got {given}")
    return mask


def _refuse(labels: object) -> None:
    if labels is not None:
        raise ValueError('an exported network has no loss: load the model with runtime="torch" to train it')


class OnnxCTC(OnnxNetwork):
    """A CRNN or R2-CRNN; see `OnnxNetwork`."""

    def outputs(self) -> tuple[str, ...]:
        return OUTPUTS

    def __call__(
        self,
        input_features: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        modality: str | None = None,
        **_: object,
    ) -> Any:  # a `CTCOutput`, as untyped as what calling a torch model gives: callers treat both alike
        """Args: as `CRNNForCTC.forward`'s, without labels.

        Raises:
            ValueError: wrong shapes, a modality that the network lacks, or labels.
        """
        _refuse(labels)
        modality = modality or self.config.modalities[0]
        if modality not in self._sessions:
            raise ValueError(f"modality must be one of {', '.join(self._sessions)}, got {modality!r}")
        self._check(input_features)
        batch, width = input_features.shape[0], input_features.shape[3]
        logits, lengths = self._run(modality, input_features, mask_for(attention_mask, batch, width))
        return CTCOutput(logits=logits, output_lengths=lengths)

    def _check(self, features: torch.Tensor) -> None:
        """ONNX Runtime would say less clearly what is wrong."""
        height, stride = self.config.input_height, self.config.width_stride
        if features.ndim != 4 or features.shape[1:3] != (1, height):
            raise ValueError(f"input_features must be (B, 1, {height}, W), got {tuple(features.shape)}")
        if features.shape[3] < stride:
            raise ValueError(f"input_features must be at least {stride} columns wide, got {features.shape[3]}")


class OnnxTranscriber(OnnxNetwork):
    """A `UNetTranscriber`; see `OnnxNetwork`."""

    def outputs(self) -> tuple[str, ...]:
        return tuple(self.config.heads)

    def __call__(
        self,
        input_features: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: object = None,
        **_: object,
    ) -> Any:  # a `TranscriberOutput`, as untyped as what calling a torch model gives
        """Args: as `UNetTranscriber.forward`'s, without labels.

        Raises:
            ValueError: wrong shapes, no frame, or labels.
        """
        _refuse(labels)
        if input_features.ndim != 4 or input_features.shape[1::2] != (1, self.config.n_bins):
            wanted = f"(B, 1, T, {self.config.n_bins})"
            raise ValueError(f"input_features must be {wanted}, got {tuple(input_features.shape)}")
        batch, frames = input_features.shape[0], input_features.shape[2]
        if frames < 1 or batch < 1:
            raise ValueError(f"at least one frame is needed, got {tuple(input_features.shape)}")
        mask = mask_for(attention_mask, batch, frames)
        missing = -frames % self.config.time_stride  # the file takes whole strides
        padded, real = (functional.pad(input_features, (0, 0, 0, missing)), functional.pad(mask, (0, missing)))
        maps = self._run(modalities_of(self.config)[0], padded, real)
        heard = {name: values[:, :frames] for name, values in zip(self.outputs(), maps, strict=True)}
        return TranscriberOutput(logits=heard, lengths=mask.long().sum(dim=1))


def onnx_class(config: Any) -> type[OnnxNetwork]:
    """What runs the exported network of a model of this config."""
    return OnnxTranscriber if config.model_type == "unet_transcriber" else OnnxCTC


def modalities_of(config: Any) -> tuple[str, ...]:
    """What a model of this config takes, each by a network of its own; none: it cannot be exported."""
    return ("audio",) if config.model_type == "unet_transcriber" else tuple(getattr(config, "modalities", ()))


def _session(network: str | Path | bytes, outputs: tuple[str, ...], threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors: its warnings are about the graph, which no user can change
    # Threads that wait for work sleep: spinning ones would hold up the staff finding and decoding around the network.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    source = network if isinstance(network, bytes) else str(network)
    name = "the ONNX network" if isinstance(network, bytes) else Path(network).name
    try:
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a dozen kinds, all plain subclasses of Exception
        raise ValueError(f"{name} is damaged, or no ONNX file") from error
    found = {item.name for item in (*session.get_inputs(), *session.get_outputs())}
    if found != {*INPUTS, *outputs}:
        raise ValueError(f"{name} must have {', '.join((*INPUTS, *outputs))}, got {', '.join(sorted(found))}")
    return session


def exported(place: str, config: Any) -> OnnxNetwork | None:
    """The exported network of a model folder or Hub repository.

    None without ONNX Runtime, and where there is none. So too, with a warning, where one is missing of several,
    damaged, or made from other weights than the folder has now: the weights are what counts.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    names = onnx_names(modalities_of(config))
    files = {modality: _file(place, name) for modality, name in names.items()}
    if not any(files.values()):
        return None
    try:
        return _checked(place, config, files)
    except ValueError as error:
        logger.warning("%s: %s; torch reads instead, `hfmusic export` makes it anew", place, error)
        return None


def _checked(place: str, config: Any, files: Mapping[str, str | None]) -> OnnxNetwork:
    """Raises ValueError for what `exported` warns about."""
    there = {modality: file for modality, file in files.items() if file is not None}
    if len(there) < len(files):
        raise ValueError(f"only {', '.join(Path(file).name for file in there.values())} of its networks is there")
    network = onnx_class(config)(config, there, name_or_path=place)
    weights = _file(place, WEIGHTS)
    now = None if weights is None else fingerprint(weights)
    for modality, file in there.items():
        if now is None or network.metadata(modality).get(WEIGHTS_KEY) != now:
            raise ValueError(f"{Path(file).name} was not made from these weights")
    return network


def _file(place: str, name: str) -> str | None:
    """A file of a model folder or Hub repository; None where it has none, or cannot be reached."""
    return cached_file(
        place,
        name,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
        _raise_exceptions_for_gated_repo=False,
    )
