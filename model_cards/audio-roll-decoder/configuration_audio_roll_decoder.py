"""What a decoder from the space of audio and piano rolls to rolls is made of (paper 004, section 6.2)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from huggingface_hub.dataclasses import strict

from .configuration_audio_score import AudioScoreConfig, recommended_roll_tower

MAPS = ("frame", "onset", "velocity")
LOSSES = ("matching", *MAPS, "kl")
UPSAMPLING = (16, 8)  # rows and columns of a roll for each of the decoder's first maps


def audio_tower() -> dict[str, Any]:
    """As for retrieval, but time is not halved at once: the decoder must tell when a note begins."""
    return recommended_roll_tower(standardise=True, stem_stride=[1, 2])


def roll_tower() -> dict[str, Any]:
    """Likewise."""
    return recommended_roll_tower(stem_stride=[2, 1])


def even_weights() -> dict[str, float]:
    """By which the parts of the loss are about as large in the middle of a training."""
    return {"matching": 1.0, "frame": 20.0, "onset": 20.0, "velocity": 2.0, "kl": 0.01}


@strict
class RollDecoderConfig(AudioScoreConfig):
    """An `AudioScoreConfig` of rolls, and a decoder from its codes to them. By default windows are of one beat: the
    fewer notes a code has to tell, the better it does.

    Beside what follows it takes `AudioScoreConfig`'s arguments; `score_input` is "roll", `projection` "none".

    Args:
        decoder_channels: of the decoder's first maps, and of what each of its four layers gives.
        positive_weight: of cells with a note or an onset, in their cross entropy.
        head_prior: how often a cell sounds, which the decoder begins with.
        loss_weights: of each of `LOSSES`; those left out do not count.
    """

    model_type = "audio_roll_decoder"

    score_input: str = "roll"
    frame_rate: float | int = 22050 / 512
    bands: int = 128
    frames: int = 24
    beats: int = 1
    audio_tower: dict[str, Any] = field(default_factory=audio_tower)
    score_tower: dict[str, Any] = field(default_factory=roll_tower)
    embedding_size: int = 256
    decoder_channels: list[int] = field(default_factory=lambda: [96, 64, 48, 32, 16])
    positive_weight: float | int = 3.0
    head_prior: float = 0.02
    loss_weights: dict[str, Any] = field(default_factory=even_weights)

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        for name, wanted in (("score_input", "roll"), ("projection", "none")):
            if getattr(self, name) != wanted:
                raise ValueError(f"{name} of a decoder of rolls must be {wanted!r}, got {getattr(self, name)!r}")
        rows, steps = self.score_size
        if rows % UPSAMPLING[0] or steps % UPSAMPLING[1]:
            raise ValueError(f"a decoded roll must have a multiple of {UPSAMPLING[1]} steps, got {steps}")
        if len(self.decoder_channels) != 5 or min(self.decoder_channels) < 1:
            raise ValueError(f"decoder_channels must be five positive numbers, got {self.decoder_channels}")
        unknown = sorted(set(self.loss_weights) - set(LOSSES))
        if unknown or not self.loss_weights:
            raise ValueError(f"loss_weights must be of {', '.join(LOSSES)}, got {', '.join(unknown) or 'none'}")
        if not 0 < self.head_prior < 1 or self.positive_weight <= 0:
            given = f"{self.head_prior} and {self.positive_weight}"
            raise ValueError(f"head_prior must be 0 to 1 and positive_weight positive, got {given}")
