"""Each cell as ordinary training recipes, at one of two scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from hfmusic.data.augment import AugmentConfig
from hfmusic.data.spectrum_augment import SpectrumAugmentConfig
from hfmusic.reproduce.cells import DOMAINS, Cell
from hfmusic.reproduce.staves import Chosen, Curation, Folders, column, list_file
from hfmusic.training.config import (
    OptimizerConfig,
    TrainingConfig,
    TrainingData,
    TransferConfig,
    ValidationData,
    load_recipe,
)

HERE = Path(__file__).parent
# What stays true of a staff, and of a sound, when little of the target domain is there.
PICTURES = AugmentConfig(vertical_shift=1, vertical_scale=0.03)
SHARED = ("lstm1", "lstm2", "dense")
SOUNDS = SpectrumAugmentConfig(stretch=0.04)


@dataclass(frozen=True)
class Scale:
    """How large everything is.

    Attributes:
        steps: optimizer steps of a base ("base"), a transfer from all staves ("transfer") and a cell of a small
            training set ("few"), the same for every cell of a kind. Empty: `epochs` over the cell's training set.
        seconds_per_step: of one CPU core, for estimates; None: unknown.
        note: what a reader of the results must know.
    """

    name: str
    curation: Curation
    steps: Mapping[str, int]
    epochs: int = 0
    evaluations: int = 5
    seconds_per_step: float | None = None
    note: str = ""

    @property
    def recipe(self) -> Path:
        return HERE / f"smc2022_{self.name}.yaml"

    def step_count(self, cell: Cell, staves: int, batch_size: int) -> int:
        """Optimizer steps of a cell, with `staves` in its training set (of a domain)."""
        if not self.steps:
            return self.epochs * -(-staves // batch_size)
        if cell.method.startswith("long") or (cell.size is None and cell.method in ("base", "multitask")):
            return self.steps["base"]
        return self.steps["transfer" if cell.size is None else "few"]


SCALES = {
    "small": Scale(
        "small",
        Curation(max_tokens=24, max_columns=440, sources=("rism-",), held_out=8),
        {"base": 1800, "transfer": 800, "few": 600},
        seconds_per_step=0.1,
        note="A network of the paper's five layers, about a fifth of its size, on short staves of RISM and variations "
        "of them, one piano. A transfer is trained for fewer steps than a base, so bases of that many steps and "
        "transfers of a base's steps are measured too; all cells of table 3 have 600 steps, in which a base "
        "hardly leaves CTC's first plateau of blanks: the long rows, of 1800 steps, tell steps from staves.",
    ),
    # The paper's 22,285 staves in parts of 60, 20 and 20 %.
    "paper": Scale(
        "paper",
        Curation(limits={"train": 13371, "validation": 4457, "test": 4457}),
        {},
        epochs=100,
        evaluations=100,
    ),
}


@dataclass(frozen=True)
class Places:
    """Where a reproduction's data, lists and runs are. `out` has a folder of lists and one of runs for each seed."""

    folders: Folders
    out: Path
    cache_dir: str
    chosen: Chosen

    @property
    def lists(self) -> Path:
        return self.out / "staves"

    def runs(self, seed: int) -> Path:
        return self.out / f"seed{seed}"

    def model(self, cell: str, seed: int) -> Path:
        return self.runs(seed) / cell / "model"


@cache
def base_recipe(scale: str) -> TrainingConfig:
    """The recipe that all cells of a scale vary. Its training set is filled in later."""
    return load_recipe(SCALES[scale].recipe, ["train=[{path: none}]"])


def recipes(cell: Cell, scale: Scale, places: Places, seed: int) -> list[TrainingConfig]:
    """The trainings of a cell, one after the other; the last one's model is the cell's. None for a fusion."""
    if cell.method == "fusion":
        return []
    base = base_recipe(scale.name)
    staves = len(places.chosen.ids["train"][: cell.size])
    steps = scale.step_count(cell, staves, base.batch_size)
    every = max(1, steps // scale.evaluations)
    config = replace(
        base,
        name=cell.name,
        seed=seed,
        model={**base.model, "modalities": [cell.domain]},
        train=(_train(cell.domain, scale, places, cell.size),),
        validation=_validation(cell.domain, scale, places),
        max_steps=steps,
        evaluate_every=every,
        save_every=every,
        output_dir=str(places.runs(seed)),
        cache_dir=places.cache_dir,
    )
    if cell.domain == "both":
        return [_multitask(config, scale, places)]
    return _METHODS[cell.method](config, cell, scale, places)


def _multitask(config: TrainingConfig, scale: Scale, places: Places) -> TrainingConfig:
    """As many batches of each domain as its base sees."""
    return replace(
        config,
        model={**config.model, "modalities": list(DOMAINS)},
        train=tuple(_train(domain, scale, places, None) for domain in DOMAINS),
        validation=tuple(entry for domain in DOMAINS for entry in _validation(domain, scale, places)),
        max_steps=2 * config.max_steps,
        evaluate_every=2 * config.evaluate_every,
        save_every=2 * config.save_every,
    )


def _base(config: TrainingConfig, *_: Any) -> list[TrainingConfig]:
    return [config]


def _transfer(config: TrainingConfig, cell: Cell, _: Scale, places: Places) -> list[TrainingConfig]:
    source = str(places.model(cell.needs[0], config.seed))
    return [replace(config, transfer=TransferConfig(source, freeze=cell.policy))]


def _augment(config: TrainingConfig, *_: Any) -> list[TrainingConfig]:
    return [replace(config, augment=PICTURES, audio_augment=SOUNDS)]


def _augmented_transfer(config: TrainingConfig, cell: Cell, scale: Scale, places: Places) -> list[TrainingConfig]:
    return _augment(_transfer(config, cell, scale, places)[0])


def _new_front(config: TrainingConfig, cell: Cell, _: Scale, places: Places) -> list[TrainingConfig]:
    """Fresh convolutions before the source's LSTMs and output layer, none of them frozen."""
    config = replace(config, transfer=TransferConfig(str(places.model(cell.needs[0], config.seed)), SHARED))
    return _augment(config)


def _front_first(config: TrainingConfig, cell: Cell, scale: Scale, places: Places) -> list[TrainingConfig]:
    """Half of the steps train the convolutions alone, behind which nothing moves; then all, at a third of the rate."""
    half = config.max_steps // 2
    every = max(1, min(config.evaluate_every, half))
    first = _transfer(config, replace(cell, policy="3:5"), scale, places)[0]
    first = replace(first, name=f"{cell.name}-front", max_steps=half, evaluate_every=every, save_every=every)
    second = replace(
        config,
        initial=str(places.model(first.name, config.seed)),
        optimizer=slower(config.optimizer, 1 / 3),
        max_steps=config.max_steps - half,
        evaluate_every=every,
        save_every=every,
    )
    return [_augment(first)[0], _augment(second)[0]]


def _rehearsal(config: TrainingConfig, cell: Cell, scale: Scale, places: Places) -> list[TrainingConfig]:
    """A new front beside the source's, and batches of both domains in turn: as many of the target as elsewhere."""
    source = _train(cell.source, scale, places, None)
    few, many = len(places.chosen.ids["train"][: cell.size]), len(places.chosen.ids["train"])
    target = replace(config.train[0], weight=many / few)
    both = replace(
        config,
        model={**config.model, "modalities": [cell.domain, cell.source]},
        train=(target, source),
        transfer=TransferConfig(str(places.model(cell.needs[0], config.seed))),
        max_steps=2 * config.max_steps,
        evaluate_every=2 * config.evaluate_every,
        save_every=2 * config.save_every,
    )
    return _augment(both)


_METHODS: dict[str, Callable[[TrainingConfig, Cell, Scale, Places], list[TrainingConfig]]] = {
    "base": _base,
    "same steps": _base,
    "transfer": _transfer,
    "long transfer": _transfer,
    "long base": _base,
    "augment": _augment,
    "augmented transfer": _augmented_transfer,
    "front first": _front_first,
    "new front": _new_front,
    "rehearsal": _rehearsal,
}


def slower(optimizer: OptimizerConfig, factor: float) -> OptimizerConfig:
    return replace(optimizer, lr=optimizer.lr * factor)


def _train(domain: str, scale: Scale, places: Places, size: int | None) -> TrainingData:
    return TrainingData(
        places.folders.of("image" if domain == "both" else domain),
        modality="image" if domain == "both" else domain,
        distorted_probability=1.0 if scale.curation.image == "distorted" else 0.0,
        ids=str(list_file(places.lists, "train")),
        n=size,
    )


def _validation(domain: str, scale: Scale, places: Places) -> tuple[ValidationData, ...]:
    """One set for each split that validation staves lie in."""
    if domain == "both":
        return ()
    return tuple(
        ValidationData(
            places.folders.of(domain),
            split=split,
            image=column(scale.curation, domain),
            n=None,
            name=f"{domain}-{split}",
            ids=str(list_file(places.lists, "validation")),
        )
        for split in places.chosen.places["validation"]
    )
