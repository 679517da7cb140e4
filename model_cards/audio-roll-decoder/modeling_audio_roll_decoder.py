"""Piano rolls built from the shared space of audio and rolls, instead of looked up in it (paper 004's proposal).

An `AudioScoreModel` whose codes are the means of normal distributions, and a decoder from what is drawn of them to the
roll. All three networks learn at once: codes of what belongs together match, and the roll comes out of either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import initialization as init

from .configuration_audio_roll_decoder import MAPS, UPSAMPLING, RollDecoderConfig
from .modeling_audio_score import AudioScoreModel, AudioScoreOutput, info_nce

LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE = -8.0, 4.0
_STEPS = ((2, 2), (2, 2), (2, 2), (2, 1))  # by which each layer enlarges rows and columns


@dataclass
class RollDecoderOutput(AudioScoreOutput):
    """`logits`: of each of `MAPS` (B, 128, steps), as the audio tells; with labels `losses`, each unweighted."""

    logits: dict[str, Tensor] | None = None
    losses: dict[str, Tensor] | None = None

    def probabilities(self) -> dict[str, Tensor]:
        """The maps in 0..1 (velocity: over 127), each (B, 128, steps) float32."""
        return {name: values.float().sigmoid() for name, values in (self.logits or {}).items()}


class RollHead(nn.Conv2d):
    """The last layer: a logit of each map a cell. Its biases begin where few cells sound."""


class RollNetwork(nn.Module):
    """Codes (B, d) to logits (B, 3, 128, steps): a linear layer, and transposed convolutions that double its maps."""

    def __init__(self, config: RollDecoderConfig) -> None:
        super().__init__()
        rows, steps = config.score_size
        channels = config.decoder_channels
        self.first = (channels[0], rows // UPSAMPLING[0], steps // UPSAMPLING[1])
        self.dense = nn.Linear(config.embedding_size, math.prod(self.first))
        layers: list[nn.Module] = []
        for before, after, (tall, wide) in zip(channels[:-1], channels[1:], _STEPS, strict=True):
            kernel = (tall + 2, wide + 2)
            layers += [
                nn.ConvTranspose2d(before, after, kernel, (tall, wide), padding=1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(*layers)
        self.head = RollHead(channels[-1], len(MAPS), 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        maps = functional.relu(self.dense(codes)).unflatten(1, self.first)
        return self.head(self.body(maps))


class RollDecoder(AudioScoreModel):
    """Which keys sound at each step of a window of audio. Its towers also embed, as an `AudioScoreModel`'s do."""

    config_class = RollDecoderConfig
    main_input_name = "input_features"

    def __init__(self, config: RollDecoderConfig) -> None:
        super().__init__(config)
        self.log_variance = nn.ModuleDict(
            {name: nn.Linear(config.embedding_size, config.embedding_size) for name in ("audio", "score")}
        )
        self.decoder = RollNetwork(config)
        self.post_init()

    def forward(  # type: ignore[override]  # rolls are optional here: audio alone is decoded
        self,
        input_features: Tensor,
        pixel_values: Tensor | None = None,
        labels: Mapping[str, Tensor] | None = None,
        **_: object,
    ) -> RollDecoderOutput:
        """Args:
            input_features: float (B, 1, frames, bins), as for `AudioScoreModel`.
            pixel_values: float (B, 1, 128, steps), rolls; needed for a loss.
            labels: of each of `MAPS` (B, 128, steps) in 0..1; velocity, over 127, counts where notes begin.

        Raises:
            ValueError: wrong shapes, or labels without rolls.
        """
        audio = self.audio_codes(input_features)
        if labels is None:
            return RollDecoderOutput(audio_embeds=functional.normalize(audio, dim=1), logits=self.decode(audio))
        if pixel_values is None or len(pixel_values) != len(input_features):
            raise ValueError("a loss needs a roll for each excerpt in pixel_values, and labels")
        score = self.score_codes(pixel_values)
        drawn = [self._drawn(name, codes) for name, codes in (("audio", audio), ("score", score))]
        logits = self.decode(torch.cat([codes for codes, _ in drawn]))
        embeds = [functional.normalize(codes.float(), dim=1) for codes in (audio, score)]
        similar = self.logits(*embeds)
        losses = {"matching": info_nce(similar), **self._reconstruction(logits, labels)}
        losses["kl"] = torch.stack([divergence for _, divergence in drawn]).mean()
        weights = self.config.loss_weights
        return RollDecoderOutput(
            loss=torch.stack([losses[name] * weight for name, weight in weights.items()]).sum(),
            logits_per_audio=similar,
            audio_embeds=embeds[0],
            score_embeds=embeds[1],
            logits={name: values[: len(audio)] for name, values in logits.items()},
            losses=losses,
        )

    def decode(self, codes: Tensor) -> dict[str, Tensor]:
        """Codes (B, d), of audio or of rolls, to logits of each of `MAPS`, (B, 128, steps)."""
        return dict(zip(MAPS, self.decoder(codes).unbind(1), strict=True))

    def _drawn(self, name: str, mean: Tensor) -> tuple[Tensor, Tensor]:
        """What the decoder gets of codes (a draw while it learns, else the mean), and how far their distributions are
        from the standard one: the mean of the Kullback-Leibler divergence of each number."""
        log_variance = self.log_variance[name](mean).clamp(LEAST_LOG_VARIANCE, MOST_LOG_VARIANCE)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).mean()
        if not self.training:
            return mean, divergence
        return mean + torch.randn_like(mean) * (log_variance / 2).exp(), divergence

    def _reconstruction(self, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each map's loss, a mean over cells and both sources: cross entropy that counts cells with something
        `positive_weight` times; of velocity the squared error where notes begin."""
        found = {}
        weight = torch.tensor(float(self.config.positive_weight), device=logits["frame"].device)
        for name, values in logits.items():
            target = labels[name]
            if target.shape[1:] != values.shape[1:] or 2 * len(target) != len(values):
                wanted = (len(values) // 2, *values.shape[1:])
                raise ValueError(f"labels of {name} must be {tuple(wanted)}, got {tuple(target.shape)}")
            twice, values = torch.cat([target, target]).float(), values.float()
            if name == "velocity":
                begins = torch.cat([labels["onset"], labels["onset"]]) > 0
                found[name] = (((values.sigmoid() - twice) ** 2) * begins).sum() / begins.sum().clamp(min=1)
            else:
                found[name] = functional.binary_cross_entropy_with_logits(values, twice, pos_weight=weight)
        return found

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, RollHead):
            init.kaiming_uniform_(module.weight, nonlinearity="linear")
            prior = self.config.head_prior
            init.constant_(cast(Tensor, module.bias), math.log(prior / (1 - prior)))
        elif isinstance(module, nn.ConvTranspose2d):
            fan_in = module.weight.shape[0] * module.kernel_size[0] * module.kernel_size[1]
            bound = math.sqrt(6 / fan_in * math.prod(module.stride))  # a cell sees a part of the kernel
            init.uniform_(module.weight, -bound, bound)
        else:
            super()._init_weights(module)
