"""What a two-tower embedding of audio and scores is made of: paper 003's networks, and the one we recommend."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

SCORE_INPUTS = ("image", "roll")
PROJECTIONS = ("cca", "linear", "none")
LOSSES = ("ranking", "info_nce")
ACTIVATIONS = ("elu", "relu")
HEADS = ("average", "flatten")
PITCHES = 128  # rows of a roll


@dataclass(frozen=True)
class TowerSizes:
    """One network from a picture (B, 1, rows, columns) to a vector. Every convolution is followed by batch norm.

    Attributes:
        channels: of each block of convolutions; a block ends with max pooling.
        pools: [rows, columns] of each block's pooling; [1, 1]: none.
        convolutions: how many each block has.
        kernel: rows and columns of theirs, odd.
        stem_channels: of a first convolution with a stride; 0: there is none.
        stem_kernel, stem_stride: [rows, columns] of it.
        activation: "elu" or "relu", after all but the last norm.
        norm_last: the norm follows the activation, as in paper 004's code.
        shared: all convolutions of the last two blocks that keep their channels are one, with one norm: likewise.
        head: after a last, 1x1 convolution "average": its maps' means are the vector (paper 003); "flatten": a linear
            layer that knows where in the maps things are.
        head_channels: of the 1x1 convolution of head "flatten".
        dropout: before that linear layer.
        invert: the picture is subtracted from 1, so that paper and what lies around it are 0.
        standardise: each picture is brought to mean 0 and deviation 1 (at least a tenth of the input's own units).
    """

    channels: list[int] = field(default_factory=lambda: [12, 24, 48, 48])
    pools: list[list[int]] = field(default_factory=lambda: [[2, 2]] * 4)
    convolutions: list[int] = field(default_factory=lambda: [2, 2, 2, 2])
    kernel: int = 3
    stem_channels: int = 0
    stem_kernel: list[int] = field(default_factory=lambda: [5, 5])
    stem_stride: list[int] = field(default_factory=lambda: [2, 2])
    activation: str = "elu"
    norm_last: bool = False
    shared: bool = False
    head: str = "average"
    head_channels: int = 32
    dropout: float = 0.0
    invert: bool = False
    standardise: bool = False

    def __post_init__(self) -> None:
        if not len(self.channels) == len(self.pools) == len(self.convolutions) > 0:
            raise ValueError(
                "a tower's channels, pools and convolutions must be one a block, "
                f"got {self.channels}, {self.pools} and {self.convolutions}"
            )
        pairs = [*self.pools, self.stem_kernel, self.stem_stride]
        if any(len(pair) != 2 for pair in pairs) or min(min(pair) for pair in pairs) < 1:
            raise ValueError(f"a tower's pools and stem must be [rows, columns], at least 1, got {pairs}")
        if min(*self.channels, *self.convolutions, self.head_channels) < 1 or self.stem_channels < 0:
            raise ValueError(f"a tower's channels and convolutions must be positive, got {self}")
        if not self.kernel % 2 or not all(size % 2 for size in self.stem_kernel):
            raise ValueError(f"a tower's kernels must be odd, got {self.kernel} and {self.stem_kernel}")
        if self.activation not in ACTIVATIONS or self.head not in HEADS:
            raise ValueError(
                f"a tower's activation must be one of {', '.join(ACTIVATIONS)}, its head one of {', '.join(HEADS)}, "
                f"got {self.activation!r} and {self.head!r}"
            )
        if not 0 <= self.dropout < 1:
            raise ValueError(f"a tower's dropout must be 0 to 1, got {self.dropout}")

    def map_size(self, rows: int, columns: int) -> tuple[int, int]:
        """Rows and columns of the last maps, of a picture of these sizes.

        >>> TowerSizes().map_size(180, 200), TowerSizes().map_size(42, 92)
        ((11, 12), (2, 5))
        """
        sizes = [rows, columns]
        for axis in (0, 1):
            if self.stem_channels:
                sizes[axis] = -(-sizes[axis] // self.stem_stride[axis])
            for pool in self.pools:
                sizes[axis] //= pool[axis]
        return sizes[0], sizes[1]


def vgg(width: int, **options: Any) -> dict[str, Any]:
    """Paper 003's tower (table 1): four blocks of `width`, twice, four and four times as many channels."""
    return {"channels": [width, 2 * width, 4 * width, 4 * width], **options}


def recommended_roll_tower(**options: Any) -> dict[str, Any]:
    """Ours for rolls, and for spectra on the same grid: few channels where maps are large, as two CPU cores can
    train."""
    sizes = {
        "channels": [24, 48, 64],
        "pools": [[2, 2], [2, 2], [1, 1]],
        "convolutions": [1, 1, 2],
        "stem_channels": 20,
        "stem_stride": [2, 2],
        "activation": "relu",
        "head": "flatten",
        "head_channels": 32,
        "dropout": 0.1,
    }
    return {**sizes, **options}


def recommended_score_tower() -> dict[str, Any]:
    """Ours for pictures: a quarter of the pixels at once, then widths by what two CPU cores can train."""
    return {
        "channels": [24, 48, 64, 96],
        "pools": [[2, 2], [2, 2], [2, 2], [1, 1]],
        "convolutions": [1, 1, 2, 1],
        "stem_channels": 16,
        "activation": "relu",
        "head": "flatten",
        "head_channels": 32,
        "dropout": 0.1,
        "invert": True,
    }


def recommended_audio_tower() -> dict[str, Any]:
    """Ours for sounds: pitch is halved at once, whose bands overlap, and time is not."""
    return {
        "channels": [24, 48, 64, 96],
        "pools": [[2, 2], [2, 2], [2, 2], [1, 1]],
        "convolutions": [1, 1, 2, 1],
        "stem_channels": 12,
        "stem_stride": [1, 2],
        "activation": "relu",
        "head": "flatten",
        "head_channels": 32,
        "dropout": 0.1,
        "standardise": True,
    }


@strict
class AudioScoreConfig(PreTrainedConfig):
    """Two networks that bring an excerpt of audio and a snippet of a score to vectors that are close if they belong.

    Without options: `recommended()`.

    Args:
        score_input: what a score is given as: "image", an engraved row; "roll", its piano roll.
        sampling_rate: of the audio, in Hz.
        frame_rate, bands: frames a second of its spectrogram, and bands of a frame (`LogSpectrogram`; beside rolls
            `ConstantQ`).
        frames: of an excerpt. Beside rolls an excerpt lasts as many beats as the roll: its frames are as far apart as
            the music is slow.
        image_height, image_width: of a snippet, in pixels of pages that are 835 wide.
        image_scale: by which it is scaled before the network sees it.
        beats, steps_per_beat: of a roll, which has 128 rows and a column a step.
        audio_tower, score_tower: options of `TowerSizes`.
        embedding_size: of the vectors.
        projection: what follows the towers: "cca": canonical correlation analysis, "linear": a learned layer each,
            "none".
        cca_regularization: added to the diagonals of covariances.
        loss: "ranking": the paper's hinge loss, from scores to audio; "info_nce": cross entropy in both directions.
        margin: of "ranking".
        temperature: of "info_nce", by which similarities are divided; at first, where it is learned.
        learned_temperature: whether it is.
    """

    model_type = "audio_score"
    _auto_class: ClassVar[str | None] = "AutoConfig"

    score_input: str = "image"
    sampling_rate: int = 22050
    frame_rate: float | int = 20
    bands: int = 92
    frames: int = 84
    image_height: int = 250
    image_width: int = 320
    image_scale: float | int = 0.4
    beats: int = 2
    steps_per_beat: int = 24
    audio_tower: dict[str, Any] = field(default_factory=recommended_audio_tower)
    score_tower: dict[str, Any] = field(default_factory=recommended_score_tower)
    embedding_size: int = 64
    projection: str = "none"
    cca_regularization: float | int = 1e-3
    loss: str = "info_nce"
    margin: float | int = 0.7
    temperature: float | int = 0.07
    learned_temperature: bool = True

    def __post_init__(self, **kwargs: Any) -> None:
        super().__post_init__(**kwargs)
        self._check()

    @classmethod
    def recommended(cls, **options: Any) -> AudioScoreConfig:
        """The networks that our checkpoints have."""
        return cls(**options)

    @classmethod
    def paper(cls, **options: Any) -> AudioScoreConfig:
        """Paper 003's networks: 83,884 parameters each, snippets of 180 x 200 pixels, excerpts of 42 frames."""
        sizes: dict[str, Any] = {
            "frames": 42,
            "image_height": 180,
            "image_width": 200,
            "image_scale": 1.0,
            "audio_tower": vgg(12),
            "score_tower": vgg(12),
            "embedding_size": 32,
            "projection": "cca",
            "loss": "ranking",
        }
        return cls(**{**sizes, **options})

    @classmethod
    def public(cls, **options: Any) -> AudioScoreConfig:
        """Its successor (M. Dorfer et al., TISMIR 2018): 331,000 each, snippets of 160 x 200 pixels at half scale."""
        sizes = {"image_height": 160, "image_scale": 0.5, "audio_tower": vgg(24), "score_tower": vgg(24)}
        return cls.paper(**{**sizes, **options})

    @classmethod
    def recommended_roll(cls, **options: Any) -> AudioScoreConfig:
        """Ours for piano rolls: two beats, a frame a step."""
        towers = {"audio_tower": recommended_roll_tower(standardise=True), "score_tower": recommended_roll_tower()}
        sizes = {"score_input": "roll", "frame_rate": 22050 / 512, "bands": 128, "frames": 48, **towers}
        return cls(**{**sizes, **options})

    @classmethod
    def dias2018(cls, **options: Any) -> AudioScoreConfig:
        """Paper 004's table 1 (331,000 parameters each), on windows of one beat, as in its results."""
        sizes: dict[str, Any] = {
            "score_input": "roll",
            "frame_rate": 22050 / 256,
            "bands": 128,
            "frames": 43,
            "beats": 1,
            "audio_tower": vgg(24),
            "score_tower": vgg(24),
            "embedding_size": 32,
            "loss": "ranking",
        }
        return cls(**{**sizes, **options})

    @classmethod
    def dias2018_code(cls, **options: Any) -> AudioScoreConfig:
        """Paper 004's code, whose norms follow the activations, and which uses one convolution three times."""
        tower = vgg(24, norm_last=True, shared=True)
        return cls.dias2018(**{"audio_tower": tower, "score_tower": tower, **options})

    @property
    def audio_size(self) -> tuple[int, int]:
        """Frames and bands of an excerpt."""
        return self.frames, self.bands

    @property
    def score_size(self) -> tuple[int, int]:
        """Rows and columns of a snippet or roll as the network sees it."""
        if self.score_input == "roll":
            return PITCHES, self.beats * self.steps_per_beat
        return round(self.image_height * self.image_scale), round(self.image_width * self.image_scale)

    @property
    def towers(self) -> dict[str, tuple[TowerSizes, tuple[int, int]]]:
        """Sizes of both towers, and of what they read."""
        return {
            "audio": (TowerSizes(**self.audio_tower), self.audio_size),
            "score": (TowerSizes(**self.score_tower), self.score_size),
        }

    def _check(self) -> None:
        for name, known in (("score_input", SCORE_INPUTS), ("projection", PROJECTIONS), ("loss", LOSSES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        for name in (
            *("sampling_rate", "frame_rate", "bands", "frames", "image_height", "image_width", "image_scale"),
            *("beats", "steps_per_beat", "embedding_size", "cca_regularization", "margin", "temperature"),
        ):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("audio_tower", "score_tower"):
            unknown = sorted(set(getattr(self, name)) - set(TowerSizes.__dataclass_fields__))
            if unknown:
                options = ", ".join(TowerSizes.__dataclass_fields__)
                raise ValueError(f"{name} has the options {options}, got {unknown[0]}")
        for name, (sizes, (rows, columns)) in self.towers.items():
            if min(sizes.map_size(rows, columns)) < 1:
                raise ValueError(f"nothing is left of {rows} x {columns} after the pooling of the {name} tower")
