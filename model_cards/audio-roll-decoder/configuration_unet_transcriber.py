"""What a polyphonic transcriber is made of: paper 001's network, and the one we recommend."""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

from .note_decoding import HEADS, KEYS, LOWEST, SCHEMES

BINS_A_KEY = 3  # of the front end of scheme "heads"


@strict
class UNetTranscriberConfig(PreTrainedConfig):
    """A U-Net and bidirectional LSTMs that tell which of 88 keys sound when. Without options: `recommended()`.

    Scheme "paper" is the network of paper 001 (section 3, and its public code): one map of sounding keys, its LSTM
    reads whole spectra. Scheme "heads" is ours: harmonics stacked as channels, a U-Net on a grid of keys, an LSTM that
    all keys share, and four maps, of onsets, sounding keys, offsets and velocities.

    Args:
        scheme: "paper" or "heads".
        sampling_rate, hop_length: of the sound in Hz, and samples from one frame to the next.
        fmin, n_bins, bins_per_octave, gamma: of the constant-Q front end, see `ConstantQ`.
        channels: of the U-Net, one entry a resolution from the finest.
        blocks: residual blocks at each resolution, in scheme "heads"; the way up has as many as the way down.
        hidden_size: of each direction of the LSTM.
        harmonics: multiples of a key's frequency that are its input channels, in scheme "heads".
        stem_kernel: [frames, bins] of the first convolution of scheme "heads", both odd.
        leaky_relu_slope: of scheme "paper"; "heads" has ReLU.
        batch_norm_momentum: torch's convention.
        gradient_limit: gradients that leave the LSTM and the last layer backwards are held within this, as the hooks
            of the paper's code do; None: not.
        onset_positive_weight: of onsets against their absence in the loss of scheme "heads".
        loss_weights: of each map's loss in the sum.
        head_prior: probability of a positive that an untrained network of scheme "heads" gives.
    """

    model_type = "unet_transcriber"
    _auto_class: ClassVar[str | None] = "AutoConfig"

    scheme: str = "heads"
    sampling_rate: int = 16000
    hop_length: int = 512
    fmin: float | int = 27.5 * 2 ** (-1 / 36)  # A0 lies on the second of its three bins
    n_bins: int = 288
    bins_per_octave: int = 36
    gamma: float | int = 4.4
    channels: list[int] = field(default_factory=lambda: [24, 48, 96])
    blocks: list[int] = field(default_factory=lambda: [1, 2, 3])
    hidden_size: int = 32
    harmonics: list[float | int] = field(default_factory=lambda: [0.5, 1, 2, 3, 4, 5, 6, 8])
    stem_kernel: list[int] = field(default_factory=lambda: [3, 7])
    leaky_relu_slope: float | int = 0.01
    batch_norm_momentum: float = 0.1
    gradient_limit: float | None = None
    onset_positive_weight: float | int = 3.0
    loss_weights: dict[str, float | int] = field(
        default_factory=lambda: {"onset": 1.0, "frame": 1.0, "offset": 0.5, "velocity": 1.0}
    )
    head_prior: float = 0.02

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self._check()

    @classmethod
    def recommended(cls, **options: Any) -> UNetTranscriberConfig:
        """The network that our checkpoints have."""
        return cls(**options)

    @classmethod
    def paper(cls, **options: Any) -> UNetTranscriberConfig:
        """Paper 001's network: 1,350,145 parameters, 176 bins at two a semitone, 32 ms a frame."""
        sizes: dict[str, Any] = {
            "scheme": "paper",
            "hop_length": 512,
            "fmin": 27.5,
            "n_bins": 176,
            "bins_per_octave": 24,
            "gamma": 0.0,
            "channels": [16, 32, 64, 128],
            "hidden_size": 176,
            "gradient_limit": 0.001,
            "loss_weights": {"frame": 1.0},
        }
        return cls(**{**sizes, **options})

    @property
    def frame_seconds(self) -> float:
        """From one frame to the next. Frame t is centred on `t * frame_seconds`."""
        return self.hop_length / self.sampling_rate

    @property
    def heads(self) -> list[str]:
        """Names of the maps that the network gives."""
        return ["frame"] if self.scheme == "paper" else list(HEADS)

    @property
    def time_stride(self) -> int:
        """Frames of one column of the coarsest map. Networks pad their input to a multiple of it."""
        return 2 ** (len(self.channels) if self.scheme == "paper" else len(self.channels) - 1)

    @property
    def shifts(self) -> list[int]:
        """Bins from a key's own frequency to each harmonic."""
        from math import log2

        return [round(self.bins_per_octave * log2(harmonic)) for harmonic in self.harmonics]

    def _check(self) -> None:
        if self.scheme not in SCHEMES:
            raise ValueError(f"scheme must be one of {', '.join(SCHEMES)}, got {self.scheme!r}")
        if min(self.sampling_rate, self.hop_length, self.hidden_size, self.n_bins) < 1:
            raise ValueError(
                "sampling_rate, hop_length, hidden_size and n_bins must be positive, "
                f"got {self.sampling_rate}, {self.hop_length}, {self.hidden_size} and {self.n_bins}"
            )
        if not self.channels or min(self.channels) < 1:
            raise ValueError(f"channels must be one positive number a resolution, got {self.channels}")
        if set(self.loss_weights) != set(self.heads) or min(self.loss_weights.values()) < 0:
            raise ValueError(f"loss_weights must be one for each of {', '.join(self.heads)}, got {self.loss_weights}")
        if self.scheme == "paper":
            self._check_paper()
        else:
            self._check_heads()

    def _check_paper(self) -> None:
        if self.n_bins % self.time_stride:
            raise ValueError(
                f"n_bins must be a multiple of {self.time_stride} for {len(self.channels)} resolutions, "
                f"got {self.n_bins}"
            )

    def _check_heads(self) -> None:
        if self.bins_per_octave != 12 * BINS_A_KEY or self.n_bins < KEYS * BINS_A_KEY:
            raise ValueError(
                f"scheme heads needs {12 * BINS_A_KEY} bins an octave and at least {KEYS * BINS_A_KEY} bins from key "
                f"{LOWEST} on, got {self.bins_per_octave} and {self.n_bins}"
            )
        if len(self.blocks) != len(self.channels) or min(self.blocks) < 0 or KEYS % self.time_stride:
            raise ValueError(
                f"channels and blocks must be as many, at most four, got {self.channels} and {self.blocks}"
            )
        if not self.harmonics or min(self.harmonics) <= 0:
            raise ValueError(f"harmonics must be positive, got {self.harmonics}")
        if len(self.stem_kernel) != 2 or not all(size % 2 for size in self.stem_kernel) or self.stem_kernel[1] < 3:
            raise ValueError(f"stem_kernel must be [frames, bins], odd, at least 3 bins, got {self.stem_kernel}")
        if not 0 < self.head_prior < 1:
            raise ValueError(f"head_prior must be between 0 and 1, got {self.head_prior}")
