"""CRNN with CTC: convolutions, bidirectional LSTMs, one symbol or blank a frame (paper 000, section 3.1).

Deviations from the authors' Keras code, all equal in result: the pool comes before the leaky ReLU (both are monotone,
and a smaller map is cheaper), and the two directions of an LSTM are two layers (the second runs over each sequence
turned round within its own length, which is what packing does, but faster on a CPU).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput

from .configuration_crnn import CRNNConfig


@dataclass
class CTCOutput(CausalLMOutput):
    """`logits` (B, T, V+1), blank last; `output_lengths` (B,) real frames of each item.

    `loss` leaves out the items that `feasible` (B,) marks False: their labels do not fit into their frames. It is 0 if
    none fits. Both are None without labels.
    """

    output_lengths: torch.Tensor | None = None
    feasible: torch.Tensor | None = None


class CRNNBlock(nn.Module):
    """Convolution ("same"), batch norm, max pool, leaky ReLU: (B, C, H, W) -> (B, C', H // h, W // w).

    Batch norm's training statistics run over padded columns too, which hold zeros; evaluation does not see them.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: list[int], pool: list[int], config: CRNNConfig):
        super().__init__()
        rows, columns = kernel
        odd = rows % 2 == 1 and columns % 2 == 1
        self.conv = nn.Conv2d(
            in_channels,
            out_channels,
            (rows, columns),
            bias=config.conv_bias,
            padding=(rows // 2, columns // 2) if odd else 0,
        )
        # Keras' and torch's "same": an even kernel looks one further right and down
        same = ((columns - 1) // 2, columns // 2, (rows - 1) // 2, rows // 2)
        self.same = None if odd else same
        self.norm = nn.BatchNorm2d(out_channels, eps=config.batch_norm_eps, momentum=config.batch_norm_momentum)
        self.pool_size = (pool[0], pool[1])
        self.slope = config.leaky_relu_slope

    def forward(self, hidden: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
        """`real` (B, 1, 1, W): 0 in columns that are to be held at zero."""
        if real is not None:
            hidden = hidden * real
        if self.same is not None:
            hidden = functional.pad(hidden, self.same)
        hidden = self.norm(self.conv(hidden))
        if self.pool_size != (1, 1):
            hidden = functional.max_pool2d(hidden, self.pool_size)
        return functional.leaky_relu(hidden, self.slope)


class BidirectionalLSTM(nn.Module):
    """(B, T, in) -> (B, T, 2 * hidden). With `reverse` the backward direction starts at each item's last real frame."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.forward_lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.backward_lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        _freeze_second_biases(self)

    def forward(self, hidden: torch.Tensor, reverse: torch.Tensor) -> torch.Tensor:
        forward, _ = self.forward_lstm(hidden)
        backward, _ = self.backward_lstm(_reorder(hidden, reverse))
        return torch.cat([forward, _reorder(backward, reverse)], dim=-1)


def _freeze_second_biases(module: nn.Module) -> None:
    """torch adds two biases where Keras (and the paper's parameter count) has one: the second stays 0."""
    for name, parameter in module.named_parameters():
        if name.endswith("bias_hh_l0"):
            parameter.requires_grad_(False)


def _reorder(hidden: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
    return hidden.gather(1, order.unsqueeze(-1).expand(-1, -1, hidden.shape[-1]))


def _reversal(lengths: torch.Tensor, frames: int) -> torch.Tensor:
    """(B, frames) indices that turn the first `length` frames of each item round and leave the rest in place."""
    place = torch.arange(frames, device=lengths.device)
    ends = lengths.unsqueeze(1)
    return torch.where(place < ends, ends - 1 - place, place)


def _mask(lengths: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, W): 1 in the first `length` columns."""
    real = torch.arange(like.shape[-1], device=like.device) < lengths.unsqueeze(1)
    return real.to(like.dtype)[:, None, None, :]


class CRNNPreTrainedModel(PreTrainedModel):
    """Initialisation as in the paper's Keras code: Glorot uniform, orthogonal recurrence, forget bias 1."""

    config_class = CRNNConfig
    base_model_prefix = "crnn"
    main_input_name = "input_features"

    def save_pretrained(self, *args: Any, **kwargs: Any) -> None:
        """As transformers' models, with the code: the folder loads with `trust_remote_code=True` and no hfmusic."""
        from .pipeline_amt import TASK as HEARS
        from .pipeline_amt import AutomaticMusicTranscriptionPipeline
        from .pipeline_omr import TASK as READS
        from .pipeline_omr import OpticalMusicRecognitionPipeline

        code = type(self).__module__.rpartition(".")[2]
        family = type(self).__name__.removesuffix("Model").removesuffix("ForCTC")
        auto = {"AutoModel": f"{code}.{family}Model", "AutoModelForCTC": f"{code}.{family}ForCTC"}
        self.config.auto_map = auto
        known = {
            "image": (READS, f"pipeline_omr.{OpticalMusicRecognitionPipeline.__name__}"),
            "audio": (HEARS, f"pipeline_amt.{AutomaticMusicTranscriptionPipeline.__name__}"),
        }
        self.config.custom_pipelines = {
            task: {"impl": implementation, "pt": ["AutoModelForCTC"], "type": modality}
            for modality, (task, implementation) in known.items()
            if modality in self.config.modalities
        }
        try:
            super().save_pretrained(*args, **kwargs)
        finally:
            del self.config.custom_pipelines  # see CRNNConfig: only for those who load the folder elsewhere

    @classmethod
    def from_pretrained(cls, *args: Any, **kwargs: Any) -> Any:
        loaded = super().from_pretrained(*args, **kwargs)
        _freeze_second_biases(loaded[0] if isinstance(loaded, tuple) else loaded)
        return loaded

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, Clock):
            init.zeros_(module.weight)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            init.xavier_uniform_(module.weight)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM):
            weights: dict[str, torch.Tensor] = dict(module.named_parameters())
            init.xavier_uniform_(weights["weight_ih_l0"])
            init.orthogonal_(weights["weight_hh_l0"])
            forget = torch.zeros_like(weights["bias_ih_l0"])
            forget[module.hidden_size : 2 * module.hidden_size] = 1.0  # gates: input, forget, cell, output
            init.copy_(weights["bias_ih_l0"], forget)
            init.zeros_(weights["bias_hh_l0"])
        else:
            super()._init_weights(module)

    def output_lengths(self, attention_mask: torch.Tensor) -> torch.Tensor:
        """Real frames (B,) of inputs whose real columns `attention_mask` (B, W) marks 1."""
        return self.config.output_length(attention_mask.long().sum(dim=1))


class Clock(nn.Linear):
    """What sines and cosines of some periods, in frames, add to every frame: T -> (T, features). Silent at first."""

    def __init__(self, periods: list[float], features: int) -> None:
        super().__init__(2 * len(periods), features, bias=False)
        self.periods = periods

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """`frames` (T,): their numbers."""
        turns = torch.stack([frames / period for period in self.periods], dim=-1)
        angles = 2 * torch.pi * (turns - turns.floor())
        return super().forward(torch.cat([angles.sin(), angles.cos()], dim=-1).to(self.weight.dtype))


class CRNNFront(nn.Module):
    """One modality's convolutions and projection: (B, 1, H, W) -> (B, T, features of a frame)."""

    block_class: Callable[..., nn.Module] = CRNNBlock

    def __init__(self, config: CRNNConfig, modality: str) -> None:
        super().__init__()
        self.config = config
        ins = [config.fold**2, *config.conv_channels[:-1]]
        shapes = zip(ins, config.conv_channels, config.conv_kernels, config.pool_sizes, strict=True)
        self.blocks = nn.ModuleList([self.block_class(*shape, config) for shape in shapes])
        size = config.column_height * config.conv_channels[-1]
        self.projection = None if config.projection_size is None else nn.Linear(size, config.projection_size)
        keeps_time = modality == "audio" and config.projection_size is not None and len(config.clock_periods) > 0
        self.clock = Clock(config.clock_periods, config.projection_size) if keeps_time else None  # type: ignore[arg-type]

    def forward(self, hidden: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """`columns` (B,): real columns of each item."""
        masked, fold = self.config.mask_padding, self.config.fold
        if fold > 1:
            real = hidden * _mask(columns, hidden) if masked else hidden
            rows, width = hidden.shape[-2] // fold * fold, hidden.shape[-1]
            whole = functional.pad(real[..., :rows, :], (0, -width % fold))  # a bar line may be the last column
            hidden, columns = functional.pixel_unshuffle(whole, fold), -(-columns // fold)
        for block, (_, pool) in zip(self.blocks, self.config.pool_sizes, strict=True):
            hidden = block(hidden, _mask(columns, hidden) if masked else None)
            columns = columns // pool
        if masked:
            hidden = hidden * _mask(columns, hidden)
        hidden = hidden.permute(0, 3, 2, 1).flatten(2)  # (B, T, rows * channels), as Keras flattens
        if self.projection is not None:
            hidden = self.projection(hidden)
            if self.clock is not None:
                hidden = hidden + self.clock(torch.arange(hidden.shape[1], device=hidden.device, dtype=torch.float32))
            hidden = functional.leaky_relu(hidden, self.config.leaky_relu_slope)
        return hidden


class CRNNModel(CRNNPreTrainedModel):
    """Features of each frame: input (B, 1, H, W) -> `last_hidden_state` (B, T, 2 * hidden_size)."""

    _auto_class = "AutoModel"
    _keys_to_ignore_on_load_unexpected = ["ctc_head"]
    front_class = CRNNFront

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__(config)
        self.fronts = nn.ModuleDict({modality: self.front_class(config, modality) for modality in config.modalities})
        size = config.projection_size or config.column_height * config.conv_channels[-1]
        sizes = [size] + [2 * config.hidden_size] * (config.num_recurrent_layers - 1)
        self.recurrent = nn.ModuleList([BidirectionalLSTM(size, config.hidden_size) for size in sizes])
        self.dropout = nn.Dropout(config.dropout)
        self.post_init()

    def forward(
        self,
        input_features: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        modality: str | None = None,
        **_: object,
    ) -> BaseModelOutput:
        """Args:
            input_features: float (B, 1, H, W), ink or sound = 1, right padded.
            attention_mask: (B, W), 1 = real columns, which come first. None: all.
            modality: "image" or "audio", one of the config's; None: the first of them.

        Raises:
            ValueError: wrong shapes, an input narrower than one frame, or a modality that the network lacks.
        """
        modality = modality or self.config.modalities[0]
        if modality not in self.fronts:
            raise ValueError(f"modality must be one of {', '.join(self.config.modalities)}, got {modality!r}")
        columns = self._columns(input_features, attention_mask)
        hidden = self.fronts[modality](input_features, columns)
        frames = hidden.shape[1]
        lengths = self.config.output_length(columns) if self.config.mask_padding else torch.full_like(columns, frames)
        reverse = _reversal(lengths, frames)
        for layer in self.recurrent:
            hidden = self.dropout(layer(hidden, reverse))
        return BaseModelOutput(last_hidden_state=hidden)

    def _columns(self, features: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        """Real columns (B,) of each item."""
        height, stride = self.config.input_height, self.config.width_stride
        if features.ndim != 4 or features.shape[1:3] != (1, height):
            raise ValueError(f"input_features must be (B, 1, {height}, W), got {tuple(features.shape)}")
        batch, width = features.shape[0], features.shape[3]
        if width < stride:
            raise ValueError(f"input_features must be at least {stride} columns wide, got {width}")
        if mask is None:
            return torch.full((batch,), width, dtype=torch.long, device=features.device)
        if mask.shape != (batch, width):
            raise ValueError(f"attention_mask must be ({batch}, {width}) like input_features, got {tuple(mask.shape)}")
        return mask.long().sum(dim=1)


class CRNNForCTC(CRNNPreTrainedModel):
    """A CRNN that spells: `logits` (B, T, V+1) over the symbols and, last, the blank."""

    _auto_class = "AutoModelForCTC"
    model_class = CRNNModel

    def __init__(self, config: CRNNConfig) -> None:
        super().__init__(config)
        self.crnn = self.model_class(config)
        self.ctc_head = nn.Linear(2 * config.hidden_size, config.vocab_size + 1)
        self.post_init()

    def forward(
        self,
        input_features: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        modality: str | None = None,
        **_: object,
    ) -> CTCOutput:
        """Args:
            input_features, attention_mask, modality: as `CRNNModel.forward`.
            labels: (B, L) symbol ids, padded with -100 (or the blank).

        Raises:
            ValueError: wrong shapes, or a label that is no symbol.
        """
        hidden = self.crnn(input_features, attention_mask, modality).last_hidden_state
        logits = self.ctc_head(hidden)
        if attention_mask is None:
            lengths = torch.full((logits.shape[0],), logits.shape[1], dtype=torch.long, device=logits.device)
        else:
            lengths = self.output_lengths(attention_mask)
        loss, feasible = None, None
        if labels is not None:
            loss, feasible = ctc_loss(
                logits, labels, lengths, blank=self.config.vocab_size, reduction=self.config.ctc_loss_reduction
            )
        return CTCOutput(loss=loss, logits=logits, output_lengths=lengths, feasible=feasible)


def ctc_loss(
    logits: torch.Tensor, labels: torch.Tensor, lengths: torch.Tensor, *, blank: int, reduction: str = "mean"
) -> tuple[torch.Tensor, torch.Tensor]:
    """CTC loss of the items whose labels fit into their frames, and which those are.

    Args:
        logits: (B, T, blank + 1), blank last. The log-softmax is taken in float32.
        labels: (B, L) ids, padding (-100 or the blank) last.
        lengths: (B,) real frames.
        reduction: see `CRNNConfig.ctc_loss_reduction`; means run over the items that fit.

    Returns:
        The loss, a scalar that is 0 if no item fits, and `feasible` (B,) bool.

    Raises:
        ValueError: labels that are no symbols, or that go on after padding.
    """
    if labels.ndim != 2 or labels.shape[0] != logits.shape[0]:
        raise ValueError(f"labels must be ({logits.shape[0]}, L), got {tuple(labels.shape)}")
    real = (labels != -100) & (labels != blank)
    wrong = real & ((labels < 0) | (labels > blank))
    if wrong.any():
        raise ValueError(f"labels must be 0 to {blank - 1}, padded with -100, got {labels[wrong][0].item()}")
    if (real[:, 1:] & ~real[:, :-1]).any():
        raise ValueError("labels must come before their padding, got a label after -100")
    sizes = real.sum(dim=1)
    repeats = ((labels[:, 1:] == labels[:, :-1]) & real[:, 1:]).sum(dim=1)
    feasible = (sizes + repeats <= lengths) & (lengths > 0)
    if not feasible.any():
        return logits.sum() * 0.0, feasible
    log_probs = logits[feasible].float().log_softmax(dim=-1).transpose(0, 1)
    targets = labels[feasible].masked_fill(~real[feasible], blank)
    losses = functional.ctc_loss(log_probs, targets, lengths[feasible], sizes[feasible], blank=blank, reduction="none")
    if reduction == "mean":
        losses = losses / sizes[feasible].clamp(min=1)
    return losses.sum() if reduction == "sum" else losses.mean(), feasible
