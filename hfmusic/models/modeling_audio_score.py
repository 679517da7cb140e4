"""Two networks that embed audio and scores in one space (papers 003 and 004), and the losses they are trained with.

M. Dorfer, A. Arzt, G. Widmer, "Learning audio - sheet music correspondences for score identification and offline
alignment", ISMIR 2017: table 1, equations 1 and 2, and its public code, where batch norm follows every convolution.
G. Dias Neto et al., "Automatic transcription using embedding latent space": the same with piano rolls (`dias2018`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput

from .canonical_correlation import CanonicalCorrelation, exact_product
from .configuration_audio_score import AudioScoreConfig, TowerSizes

MOST_SCALED = math.log(100)  # similarities are multiplied by at most 100
LEAST_DEVIATION = 0.1  # of a picture that is standardised, so that silence stays silent


@dataclass
class AudioScoreOutput(ModelOutput):
    """`audio_embeds`, `score_embeds`: (B, d) of length 1; `logits_per_audio` (B, B): their similarities, over the
    temperature where there is one, a row for each excerpt, a column for each snippet."""

    loss: Tensor | None = None
    logits_per_audio: Tensor | None = None
    audio_embeds: Tensor | None = None
    score_embeds: Tensor | None = None


class Repeated(nn.Sequential):
    """Layers in an order in which one may come several times."""

    def __init__(self, layers: list[nn.Module], order: list[int]) -> None:
        super().__init__(*layers)
        self.order = order

    def forward(self, maps: Tensor) -> Tensor:
        for place in self.order:
            maps = self[place](maps)
        return maps


class Tower(nn.Module):
    """A picture (B, 1, rows, columns) to a code (B, embedding_size); see `TowerSizes`."""

    def __init__(self, sizes: TowerSizes, rows: int, columns: int, embedding_size: int) -> None:
        super().__init__()
        self.sizes = sizes
        self.body = self._body()
        before = sizes.channels[-1]
        flat = sizes.head == "flatten"
        last = sizes.head_channels if flat else embedding_size
        self.last = nn.Sequential(nn.Conv2d(before, last, 1, bias=False), nn.BatchNorm2d(last))
        area = math.prod(sizes.map_size(rows, columns))
        self.dense = nn.Linear(last * area, embedding_size) if flat else None

    def _body(self) -> nn.Sequential:
        """All blocks, and the stem before them."""
        sizes, before = self.sizes, 1
        layers: list[nn.Module] = []
        order: list[int] = []
        known: dict[int, list[int]] = {}  # of convolutions that are shared, by channels

        def put(several: list[nn.Module]) -> list[int]:
            places = list(range(len(layers), len(layers) + len(several)))
            layers.extend(several)
            order.extend(places)
            return places

        if sizes.stem_channels:
            put(self._convolution(1, sizes.stem_channels, sizes.stem_kernel, sizes.stem_stride))
            before = sizes.stem_channels
        for block, (channels, pool) in enumerate(zip(sizes.channels, sizes.pools, strict=True)):
            sharing = sizes.shared and block >= len(sizes.channels) - 2
            for _ in range(sizes.convolutions[block]):
                if sharing and before == channels and channels in known:
                    order.extend(known[channels])
                    continue
                places = put(self._convolution(before, channels, [sizes.kernel] * 2, [1, 1]))
                if sharing and before == channels:
                    known[channels] = places
                before = channels
            put([nn.MaxPool2d((pool[0], pool[1]))] if max(pool) > 1 else [])
        return Repeated(layers, order) if len(order) > len(layers) else nn.Sequential(*layers)

    def _convolution(self, ins: int, outs: int, kernel: list[int], stride: list[int]) -> list[nn.Module]:
        """With its norm and activation; the norm's shift is its bias."""
        padding = (kernel[0] // 2, kernel[1] // 2)
        conv = nn.Conv2d(ins, outs, (kernel[0], kernel[1]), (stride[0], stride[1]), padding, bias=False)
        norm, activation = nn.BatchNorm2d(outs), self._activation()
        return [conv, activation, norm] if self.sizes.norm_last else [conv, norm, activation]

    def _activation(self) -> nn.Module:
        return nn.ELU(inplace=True) if self.sizes.activation == "elu" else nn.ReLU(inplace=True)

    def forward(self, pictures: Tensor) -> Tensor:
        if self.sizes.invert:
            pictures = 1 - pictures
        if self.sizes.standardise:
            deviation, mean = torch.std_mean(pictures, dim=(1, 2, 3), keepdim=True, correction=0)
            pictures = (pictures - mean) / deviation.clamp(min=LEAST_DEVIATION)
        maps = self.last(self.body(pictures))
        if self.dense is None:
            return maps.mean(dim=(2, 3)).float()
        flat = functional.dropout(maps.flatten(1), self.sizes.dropout, self.training)
        return self.dense(flat).float()


class LinearProjections(nn.Module):
    """A learned layer for each of both codes: what CCA is compared with."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.audio, self.score = nn.Linear(size, size), nn.Linear(size, size)

    def forward(self, audio: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        return self.audio(audio), self.score(score)


class NoProjections(nn.Module):
    """Codes as they are."""

    def forward(self, audio: Tensor, score: Tensor) -> tuple[Tensor, Tensor]:
        return audio, score

    def audio(self, codes: Tensor) -> Tensor:
        return codes

    def score(self, codes: Tensor) -> Tensor:
        return codes


class AudioScoreModel(PreTrainedModel):
    """Excerpts of audio and snippets of scores to vectors of length 1, close to each other where they belong together.

    Convolutions start He-uniform, as in the paper.
    """

    config_class = AudioScoreConfig
    base_model_prefix = "audio_score"
    main_input_name = "input_features"
    _auto_class = "AutoModel"

    def __init__(self, config: AudioScoreConfig) -> None:
        super().__init__(config)
        size = config.embedding_size
        towers = {name: Tower(sizes, *shape, size) for name, (sizes, shape) in config.towers.items()}
        self.audio_tower, self.score_tower = towers["audio"], towers["score"]
        self.projections: CanonicalCorrelation | LinearProjections | NoProjections
        if config.projection == "cca":
            self.projections = CanonicalCorrelation(size, config.cca_regularization)
        else:
            self.projections = LinearProjections(size) if config.projection == "linear" else NoProjections()
        learned = config.loss == "info_nce" and config.learned_temperature
        self.log_scale = nn.Parameter(torch.tensor(-math.log(config.temperature))) if learned else None
        self.post_init()

    def forward(
        self, input_features: Tensor, pixel_values: Tensor, return_loss: bool = False, **_: object
    ) -> AudioScoreOutput:
        """Args:
            input_features: float (B, 1, frames, bands), as the processor gives them.
            pixel_values: float (B, 1, rows, columns) in 0..1, paper 1; with score_input "roll" sounding keys 1.
            return_loss: whether row i of both belong together and the loss is wanted.

        Raises:
            ValueError: wrong shapes, or different numbers for the loss.
        """
        audio, score = self.audio_codes(input_features), self.score_codes(pixel_values)
        if len(audio) == len(score):
            audio, score = self.projections(audio, score)
        elif return_loss:
            raise ValueError(f"a loss needs as many excerpts as snippets, got {len(audio)} and {len(score)}")
        else:
            audio, score = self.projections.audio(audio), self.projections.score(score)
        audio, score = (functional.normalize(codes.float(), dim=1) for codes in (audio, score))
        logits = self.logits(audio, score)
        loss = self._loss(logits) if return_loss else None
        return AudioScoreOutput(loss=loss, logits_per_audio=logits, audio_embeds=audio, score_embeds=score)

    def logits(self, audio: Tensor, score: Tensor) -> Tensor:
        """Similarities (n, m) of vectors (n, d) and (m, d), times `scale`, float32."""
        return exact_product(audio, score.T) * self.scale

    @property
    def scale(self) -> Tensor | float:
        """What similarities are multiplied by: of loss "info_nce" one over the temperature, else 1."""
        if self.config.loss != "info_nce":
            return 1.0
        return 1 / self.config.temperature if self.log_scale is None else self.log_scale.clamp(max=MOST_SCALED).exp()

    def get_audio_features(self, input_features: Tensor) -> Tensor:
        """Excerpts (B, 1, frames, bands) to vectors (B, d) of length 1."""
        return functional.normalize(self.projections.audio(self.audio_codes(input_features)).float(), dim=1)

    def get_score_features(self, pixel_values: Tensor) -> Tensor:
        """Snippets (B, 1, rows, columns) to vectors (B, d) of length 1."""
        return functional.normalize(self.projections.score(self.score_codes(pixel_values)).float(), dim=1)

    def audio_codes(self, input_features: Tensor) -> Tensor:
        """What the audio's tower gives, before the projection, (B, d)."""
        _check("input_features", input_features, self.config.audio_size)
        return self.audio_tower(input_features)

    def score_codes(self, pixel_values: Tensor) -> Tensor:
        """What the score's tower gives, before the projection, (B, d)."""
        _check("pixel_values", pixel_values, self.config.score_size)
        return self.score_tower(pixel_values)

    def refit_cca(self, audio_codes: Tensor, score_codes: Tensor) -> None:
        """Fit the projection "cca" anew to codes (n, d) of a large sample, as `audio_codes` and `score_codes` give
        them in evaluation mode. The paper's code takes 25,000 training pairs.

        Raises:
            ValueError: another projection, or too few codes.
        """
        if not isinstance(self.projections, CanonicalCorrelation):
            raise ValueError(f"only projection cca can be refitted, this model has {self.config.projection}")
        self.projections.refit(audio_codes, score_codes)

    def _loss(self, logits: Tensor) -> Tensor:
        return ranking_loss(logits.T, self.config.margin) if self.config.loss == "ranking" else info_nce(logits)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Conv2d):
            init.kaiming_uniform_(module.weight)
        elif isinstance(module, nn.Linear):
            init.kaiming_uniform_(module.weight, nonlinearity="linear")
            init.zeros_(module.bias)
        elif isinstance(module, CanonicalCorrelation):
            for name in ("audio", "score"):
                init.zeros_(getattr(module, f"{name}_mean"))
                init.eye_(getattr(module, f"{name}_axes"))
        elif isinstance(module, AudioScoreModel):
            if module.log_scale is not None:
                init.constant_(module.log_scale, -math.log(self.config.temperature))
        else:
            super()._init_weights(module)


def ranking_loss(similarities: Tensor, margin: float) -> Tensor:
    """Hinge loss of similarities (B, B), row i's own in column i, against all others of the row (equation 1).

    A mean over them, as in the paper's code; the paper prints a sum.
    """
    own = similarities.diagonal().unsqueeze(1)
    missed = functional.relu(margin - own + similarities)
    others = 1 - torch.eye(len(similarities), dtype=similarities.dtype, device=similarities.device)
    return (missed * others).sum() / max(1, len(similarities) * (len(similarities) - 1))


def info_nce(logits: Tensor) -> Tensor:
    """Cross entropy of logits (B, B), row i's own in column i, mean of rows and columns."""
    own = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2


def _check(name: str, values: Tensor, size: tuple[int, int]) -> None:
    if values.ndim != 4 or tuple(values.shape[1:]) != (1, *size) or not len(values):
        raise ValueError(f"{name} must be (B, 1, {size[0]}, {size[1]}), got {tuple(values.shape)}")
