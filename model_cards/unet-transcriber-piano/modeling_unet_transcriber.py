"""The polyphonic transcriber: a U-Net over time and pitch, a bidirectional LSTM over time, maps of 88 keys.

Two networks with one interface: paper 001's (M. Leś, M. Woźniak, section 3; the transcriber of K. W. Cheuk et al.,
ICPR 2020), and ours.

One deviation from the paper's code: lengths that are no multiple of 16 frames are padded with zeros, which are held at
zero; there, the last frames fall out of the U-Net's halvings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .configuration_unet_transcriber import UNetTranscriberConfig
from .unet_networks import Heads, KeysNetwork, Masks, PaperNetwork, Stem


@dataclass
class TranscriberOutput(ModelOutput):
    """`logits`: for each map (B, T, 88); `lengths` (B,): real frames. With labels `loss`, the weighted sum of `losses`.

    `losses` holds each map's own, unweighted.
    """

    loss: Tensor | None = None
    logits: dict[str, Tensor] | None = None
    lengths: Tensor | None = None
    losses: dict[str, Tensor] | None = None

    def probabilities(self) -> dict[str, Tensor]:
        """The maps in 0..1 (velocity: over 127), each (B, T, 88) float32."""
        return {name: logits.float().sigmoid() for name, logits in (self.logits or {}).items()}


class UNetTranscriber(PreTrainedModel):
    """Which of 88 keys sound when. Initialisation is torch's own, as in the paper."""

    config_class = UNetTranscriberConfig
    base_model_prefix = "network"
    main_input_name = "input_features"
    _auto_class = "AutoModel"

    def __init__(self, config: UNetTranscriberConfig) -> None:
        super().__init__(config)
        self.network = PaperNetwork(config) if config.scheme == "paper" else KeysNetwork(config)
        self.post_init()

    def forward(
        self,
        input_features: Tensor,
        attention_mask: Tensor | None = None,
        labels: Mapping[str, Tensor] | None = None,
        **_: object,
    ) -> TranscriberOutput:
        """Args:
            input_features: float (B, 1, T, n_bins), low pitch first, right padded.
            attention_mask: (B, T), 1 = real frames, which come first. None: all.
            labels: for each of `config.heads` (B, T, 88) in 0..1, as `encode_notes` makes them.

        Raises:
            ValueError: wrong shapes, no frame, or a map without labels.
        """
        if input_features.ndim != 4 or input_features.shape[1] != 1 or input_features.shape[3] != self.config.n_bins:
            wanted = f"(B, 1, T, {self.config.n_bins})"
            raise ValueError(f"input_features must be {wanted}, got {tuple(input_features.shape)}")
        batch, frames = input_features.shape[0], input_features.shape[2]
        if frames < 1 or batch < 1:
            raise ValueError(f"at least one frame is needed, got {tuple(input_features.shape)}")
        lengths, ragged = self._lengths(input_features, attention_mask)
        stride = self.config.time_stride
        padded = functional.pad(input_features, (0, 0, 0, -frames % stride))
        masks = self._masks(lengths, padded) if ragged or frames % stride else [None] * (len(self.config.channels) + 1)
        whole = lengths if ragged or frames % stride else None
        logits = self.network(padded, masks, whole)[:, :frames]
        maps = dict(zip(self.config.heads, logits.unbind(-1), strict=True))
        loss, losses = None, None
        if labels is not None:
            losses = self.losses(maps, labels, lengths)
            loss = torch.stack([losses[name] * weight for name, weight in self.config.loss_weights.items()]).sum()
        return TranscriberOutput(loss=loss, logits=maps, lengths=lengths, losses=losses)

    def _lengths(self, features: Tensor, mask: Tensor | None) -> tuple[Tensor, bool]:
        """Real frames (B,), and whether some item has fewer than there are."""
        batch, frames = features.shape[0], features.shape[2]
        if mask is None:
            return torch.full((batch,), frames, dtype=torch.long, device=features.device), False
        if mask.shape != (batch, frames):
            raise ValueError(f"attention_mask must be ({batch}, {frames}) like input_features, got {tuple(mask.shape)}")
        lengths = mask.long().sum(dim=1)
        if (lengths < 1).any():
            raise ValueError(f"each item must have a real frame, attention_mask has {lengths.tolist()}")
        return lengths, bool((lengths < frames).any())

    def _masks(self, lengths: Tensor, padded: Tensor) -> Masks:
        masks: Masks = []
        frames = padded.shape[2]
        for _ in range(len(self.config.channels) + 1):
            real = torch.arange(frames, device=padded.device) < lengths.unsqueeze(1)
            masks.append(real.to(padded.dtype)[:, None, :, None])
            frames, lengths = frames // 2, (lengths + 1) // 2
        return masks

    def losses(self, maps: Mapping[str, Tensor], labels: Mapping[str, Tensor], lengths: Tensor) -> dict[str, Tensor]:
        """Each map's loss, a mean over all real frames and keys; of velocity over those where `onset` is above 0.

        Cross entropy, of onsets with `onset_positive_weight` on what is an onset; of velocity the squared error.

        Raises:
            ValueError: a map without labels, or labels of another shape.
        """
        missing = [name for name in maps if name not in labels]
        if missing:
            raise ValueError(f"labels are needed for {', '.join(maps)}, {', '.join(missing)} missing")
        found = {}
        for name, logits in maps.items():
            target = labels[name]
            if target.shape != logits.shape:
                raise ValueError(f"labels of {name} must be {tuple(logits.shape)}, got {tuple(target.shape)}")
            frames = torch.arange(logits.shape[1], device=logits.device) < lengths.unsqueeze(1)
            counts = frames.unsqueeze(-1).expand_as(logits).float()
            if name == "velocity":
                counts = counts * (labels["onset"] > 0)
                values = (logits.float().sigmoid() - target) ** 2
            else:
                weight = self.config.onset_positive_weight if name == "onset" else 1.0
                values = functional.binary_cross_entropy_with_logits(
                    logits.float(), target.float(), reduction="none", pos_weight=logits.new_tensor(weight).float()
                )
            found[name] = (values * counts).sum() / counts.sum().clamp(min=1)
        return found

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            if isinstance(module, Heads):
                prior = self.config.head_prior
                init.constant_(module.bias, math.log(prior / (1 - prior)))
            elif module.bias is not None:
                bound = 1 / math.sqrt(module.weight[0].numel())
                init.uniform_(module.bias, -bound, bound)
        elif isinstance(module, nn.LSTM):
            for parameter in module.parameters():
                init.uniform_(parameter, -1 / math.sqrt(module.hidden_size), 1 / math.sqrt(module.hidden_size))
        elif isinstance(module, Stem):
            init.zeros_(module.key_bias)
        else:
            super()._init_weights(module)
