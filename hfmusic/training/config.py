"""A training recipe: YAML in, typed and checked; saved beside the weights as `train_config.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import yaml

from hfmusic.data.augment import AugmentConfig
from hfmusic.data.spectrum_augment import SpectrumAugmentConfig
from hfmusic.training.pair_augment import PairAugmentConfig
from hfmusic.training.pair_batches import PairConfig
from hfmusic.training.sound_augment import SoundAugmentConfig

RECIPES = Path(__file__).parent / "recipes"
ARCHITECTURES = ("crnn", "r2crnn", "unet_transcriber", "audio_score", "audio_roll_decoder")


@dataclass(frozen=True)
class TrainingData:
    """A dataset folder to train on. Each row is seen `weight` times an epoch, in expectation.

    A transcriber's rows are recordings, of which it sees crops (`CropConfig`), those of an `AudioScoreModel` renditions
    of sheets or of rolls, of which it sees pairs (`weight` 0.1: a tenth of them, others each epoch); `modality`,
    `distorted_probability` and `max_width` are not for them.

    `modality` "image" takes the columns image and distorted, "audio" the column audio. `n`: only the first so many
    staves that can be trained on. `max_width`: only those of at most so many columns. `prefix`: only those whose
    id begins so. `ids`: a text file of one id a line, the only staves taken, in its order.
    """

    path: str
    modality: str = "image"
    split: str = "train"
    weight: float = 1.0
    distorted_probability: float = 0.5
    n: int | None = None
    max_width: int | None = None
    prefix: str = ""
    ids: str | None = None

    def __post_init__(self) -> None:
        _check(self.modality in ("image", "audio"), 'data modality must be "image" or "audio"', self.modality)
        _check(self.n is None or self.n >= 1, "data n must be at least 1", self.n)
        _check(self.weight > 0, "data weight must be positive", self.weight)
        _check(0 <= self.distorted_probability <= 1, "distorted_probability must be 0 to 1", self.distorted_probability)


@dataclass(frozen=True)
class ValidationData:
    """A dataset folder to measure on while training: its column `image`, which is "image", "distorted" or "audio".
    Only sets with `monitor` choose the best checkpoint. `ids`: as `TrainingData`'s. A transcriber is measured on
    recordings' beginnings (`CropConfig`), an `AudioScoreModel` on `n` pairs, whatever `image` says; `prefix` of their
    ids: as `TrainingData`'s."""

    path: str
    split: str = "validation"
    image: str = "image"
    n: int | None = 500
    monitor: bool = True
    name: str = ""
    ids: str | None = None
    prefix: str = ""

    @property
    def modality(self) -> str:
        return "audio" if self.image == "audio" else "image"

    @property
    def label(self) -> str:
        return self.name or f"{Path(self.path).name}-{self.split}-{self.image}"


@dataclass(frozen=True)
class TransferConfig:
    """Blocks that a new network takes over from a trained one before training, and those it keeps as they are.

    `source` is a model folder or a Hub name; `blocks` their names, none: all. `freeze`: a policy of
    `hfmusic.training.transfer`, "N/A" (nothing) to "2:5". The front that is filled is the one of the source's own
    modality, where the new network has it, else the only one there is.
    """

    source: str
    blocks: tuple[str, ...] = ()
    freeze: str = "N/A"


@dataclass(frozen=True)
class ImitationConfig:
    """For the first `share` of a training its front learns to give the frames of a trained network's front.

    `source` is a model folder or a Hub name; see `hfmusic.training.imitation`.
    """

    source: str
    share: float = 0.2

    def __post_init__(self) -> None:
        _check(0 < self.share < 1, "imitate.share must be between 0 and 1", self.share)


@dataclass(frozen=True)
class CropConfig:
    """What a transcriber hears of a recording: crops of `seconds`, one for each `seconds` of it an epoch, at random
    places in as many equal parts of it, or with `per_track` one an epoch (paper 001). Shorter recordings are followed
    by silence. It is measured on their first `validation_seconds`."""

    seconds: float = 10.24
    per_track: bool = False
    validation_seconds: float = 30.0

    def __post_init__(self) -> None:
        _check(self.seconds > 0, "crop.seconds must be positive", self.seconds)
        _check(self.validation_seconds > 0, "crop.validation_seconds must be positive", self.validation_seconds)


@dataclass(frozen=True)
class OptimizerConfig:
    """`name` "adamw" or "adam"; `weight_decay` is spared on biases and normalisation weights."""

    name: str = "adamw"
    lr: float = 2e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        _check(self.name in ("adam", "adamw"), 'optimizer.name must be "adam" or "adamw"', self.name)
        _check(self.lr > 0, "optimizer.lr must be positive", self.lr)


@dataclass(frozen=True)
class ScheduleConfig:
    """Learning rate over `max_steps`: "one_cycle" and "cosine" warm up over `warmup` (a part of all steps) and decay
    along a cosine to `final` (a part of the highest rate); one_cycle also warms up along a cosine. "constant" is
    paper 000's, "steps" paper 001's: times `decay` every `decay_steps` steps; "plateau" paper 003's: times `decay`
    after `patience` validations that are no better, then after every `later_patience`, `drops` times, each time from
    the best weights on; once more ends the training. With `by_time` and a limit of minutes, the schedule goes by
    minutes where they run ahead of the steps, so the decay ends when the time is up."""

    kind: str = "one_cycle"
    warmup: float = 0.1
    final: float = 0.001
    by_time: bool = False
    decay: float = 0.98
    decay_steps: int = 10_000
    patience: int = 30
    later_patience: int = 10
    drops: int = 10

    def __post_init__(self) -> None:
        kinds = ("one_cycle", "cosine", "constant", "steps", "plateau")
        for name in ("patience", "later_patience", "drops"):
            _check(getattr(self, name) >= 1, f"schedule.{name} must be at least 1", getattr(self, name))
        _check(0 < self.decay <= 1, "schedule.decay must be more than 0, at most 1", self.decay)
        _check(self.decay_steps >= 1, "schedule.decay_steps must be at least 1", self.decay_steps)
        _check(self.kind in kinds, f"schedule.kind must be one of {', '.join(kinds)}", self.kind)
        _check(0 <= self.warmup < 1, "schedule.warmup must be 0 to 1", self.warmup)


@dataclass(frozen=True)
class TrainingConfig:
    """Everything a training depends on. Steps are optimizer steps.

    `architecture` is the config's `model_type`, one of `ARCHITECTURES`. `processor`, `audio_processor`
    and `model` are the keyword arguments of the image processor, the feature extractor of sounds and the architecture's
    config; sizes that follow from the vocabulary are filled in. A transcriber's `processor` has the options of
    decoding, its `model` may name a `preset`, "recommended" or "paper", as that of an `AudioScoreModel` may
    (`pair_model.PRESETS`). `augment`
    is for pictures, `audio_augment` for spectra of sounds, `sound_augment` for sounds, `pair_augment` for pairs of
    snippets and excerpts, `pairs` how those stand in batches. `clip_value` holds each gradient within a bound.
    `ema_decay` 0 turns the averaged weights off.
    """

    name: str
    train: tuple[TrainingData, ...]
    validation: tuple[ValidationData, ...] = ()
    vocabulary: str = "semantic"
    architecture: str = "crnn"
    processor: dict[str, Any] = field(default_factory=dict)
    audio_processor: dict[str, Any] = field(default_factory=dict)
    model: dict[str, Any] = field(default_factory=dict)
    initial: str | None = None
    transfer: TransferConfig | None = None
    imitate: ImitationConfig | None = None
    factorised_head: bool = False
    augment: AugmentConfig = field(default_factory=lambda: AugmentConfig(probability=0.0))
    audio_augment: SpectrumAugmentConfig = field(default_factory=lambda: SpectrumAugmentConfig(probability=0.0))
    sound_augment: SoundAugmentConfig = field(default_factory=SoundAugmentConfig)
    crop: CropConfig = field(default_factory=CropConfig)
    pairs: PairConfig = field(default_factory=PairConfig)
    pair_augment: PairAugmentConfig = field(default_factory=PairAugmentConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    batch_size: int = 16
    mega_batches: int = 50
    max_steps: int = 10_000
    clip_norm: float = 5.0
    clip_value: float | None = None
    ema_decay: float = 0.999
    seed: int = 0
    mixed_precision: str = "auto"
    log_every: int = 20
    evaluate_every: int = 500
    save_every: int = 500
    total_limit: int = 2
    num_workers: int = 1
    num_proc: int = 2
    eval_batch_size: int = 32
    tensorboard: bool = False
    output_dir: str = "runs"
    cache_dir: str = "cache/features"

    def __post_init__(self) -> None:
        both = self.initial is not None and self.transfer is not None
        _check(not both, "a recipe starts from initial or from a transfer, not from both", self.initial)
        known = ", ".join(ARCHITECTURES)
        _check(self.architecture in ARCHITECTURES, f"architecture must be one of {known}", self.architecture)
        _check(bool(self.train), "a recipe needs at least one dataset under train", list(self.train))
        for name in (
            "batch_size",
            "mega_batches",
            "max_steps",
            "log_every",
            "evaluate_every",
            "save_every",
            "eval_batch_size",
        ):
            _check(getattr(self, name) >= 1, f"{name} must be at least 1", getattr(self, name))
        _check(self.total_limit >= 1, "total_limit must be at least 1", self.total_limit)
        _check(self.clip_norm > 0, "clip_norm must be positive", self.clip_norm)
        _check(self.clip_value is None or self.clip_value > 0, "clip_value must be positive", self.clip_value)
        _check(0 <= self.ema_decay < 1, "ema_decay must be 0 to 1", self.ema_decay)
        modes = ("auto", "no", "bf16", "fp16")
        _check(
            self.mixed_precision in modes, f"mixed_precision must be one of {', '.join(modes)}", self.mixed_precision
        )

    @property
    def run_dir(self) -> Path:
        """Where checkpoints, log and the final model go: `output_dir/name`."""
        return Path(self.output_dir) / self.name

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2) + "\n"


def load_recipe(recipe: str | Path, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Read a recipe: a YAML (or `train_config.json`) file, or the name of one that comes with hfmusic.

    Args:
        overrides: `key=value` with dots into the parts: `optimizer.lr=1e-3`, `train.0.path=dist/primus`.

    Raises:
        ValueError: no such recipe, unknown key, or a value of the wrong kind; the message names it.
    """
    path = Path(recipe)
    if not path.is_file():
        path = RECIPES / f"{recipe}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.yaml")))
        raise ValueError(f"recipe must be a YAML file or one of {known}, got {str(recipe)!r}")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise ValueError(f"a recipe must be a mapping, got {type(raw).__name__} in {path}")
    for override in overrides:
        _override(raw, override)
    raw.setdefault("name", path.stem)
    return _build(TrainingConfig, raw, "")


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise ValueError(f"an override must be key=value, got {override!r}")
    *parents, last = key.strip().split(".")
    place: Any = raw
    try:
        for parent in parents:
            place = place[int(parent)] if isinstance(place, list) else place.setdefault(parent, {})
        place[int(last) if isinstance(place, list) else last] = yaml.safe_load(text)
    except (AttributeError, IndexError, TypeError, ValueError):
        raise ValueError(f"override {override!r} leads nowhere in the recipe") from None


def _build(kind: type, raw: Any, where: str) -> Any:
    """A dataclass from a mapping, recursively; unknown keys and wrong types are errors that name the key."""
    if not isinstance(raw, Mapping):
        raise ValueError(f"{where or 'recipe'} must be a mapping, got {raw!r}")
    hints = get_type_hints(kind)
    unknown = sorted(set(raw) - {entry.name for entry in fields(kind)})
    if unknown:
        raise ValueError(f"unknown key {where}{unknown[0]} in the recipe; known: {', '.join(hints)}")
    try:
        return kind(**{name: _convert(hints[name], value, f"{where}{name}") for name, value in raw.items()})
    except TypeError as error:
        raise ValueError(f"recipe {where}: {error}") from None


def _convert(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint):
        return _build(hint, value, f"{where}.")  # type: ignore[arg-type]
    if get_origin(hint) is UnionType:  # X | None
        known = [kind for kind in get_args(hint) if kind is not NoneType]
        return None if value is None else _convert(known[0], value, where)
    if get_origin(hint) is tuple:
        inner = get_args(hint)[0]
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} must be a list, got {value!r}")
        return tuple(_convert(inner, entry, f"{where}.{index}") for index, entry in enumerate(value))
    if hint in (float, int) and isinstance(value, str | int | float) and not isinstance(value, bool):
        try:  # YAML 1.1 reads 1e-3 as text
            return hint(float(value)) if float(value) == hint(float(value)) else _wrong(where, hint, value)
        except ValueError:
            _wrong(where, hint, value)
    if hint in (float, int, str, bool) and type(value) is not hint:
        _wrong(where, hint, value)
    return dict(value) if get_origin(hint) is dict else value


def _wrong(where: str, hint: type, value: Any) -> Any:
    raise ValueError(f"{where} must be {hint.__name__}, got {value!r}")


def _check(condition: bool, message: str, value: Any) -> None:
    if not condition:
        raise ValueError(f"{message}, got {value!r}")
