"""Paper 003: an embedding trained with each augmentation alone, all and none (tables 2 and 3, figure 7).

Fonts and tempi are renditions of the training pieces: a cell trains on those that its augmentations allow. All else is
the same in all cells: pieces, network, optimizer, steps.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

import hfmusic
from hfmusic.embed_pairs import PairEmbedder, embed_split, evenly, follow_split, unique_pairs
from hfmusic.evaluate_pairs import follow_scores, identify, retrieve
from hfmusic.files import write_atomic
from hfmusic.reproduce.comparisons import called
from hfmusic.reproduce.dorfer2017_data import Places, choose_renditions
from hfmusic.training.checkpoint import checkpoint_folders
from hfmusic.training.config import TrainingConfig, TrainingData, ValidationData, load_recipe
from hfmusic.training.pair_augment import PairAugmentConfig

SHEET = {"scaling": {"scale": 0.05}, "dy": {"dy": 5.0}, "dx": {"dx": 5.0}}
LINES = {"linear": "straight line", "ends": "line from the first onset to the last"}
WARPS = {"dtw": "DTW", "free": "DTW with free ends (ours)"}
METHODS = {**LINES, **WARPS}
FOLLOWERS = ("none", "full")  # cells whose networks also follow recordings
BOX = {"whislo": 5, "q1": 25, "med": 50, "q3": 75, "whishi": 95}


@dataclass(frozen=True)
class Cell:
    """One network.

    Attributes:
        fonts, tempo: whether it hears renditions of all fonts and of all tempi, not of one.
        augment: what is done to its snippets, names of `SHEET`; `onset_shift`, frames, to its excerpts.
    """

    name: str
    title: str
    fonts: bool = False
    tempo: bool = False
    augment: tuple[str, ...] = ()
    onset_shift: int = 0

    @property
    def options(self) -> PairAugmentConfig:
        """What is done to its pairs as they are cut."""
        sheet: dict[str, Any] = {name: value for one in self.augment for name, value in SHEET[one].items()}
        return PairAugmentConfig(**sheet, onset_shift=self.onset_shift)


CELLS = (
    Cell("none", "none"),
    Cell("tempo", "tempi", tempo=True),
    Cell("fonts", "fonts", fonts=True),
    Cell("audio", "fonts and tempi", fonts=True, tempo=True),
    Cell("scaling", "image scaling", augment=("scaling",)),
    Cell("dy", "Δy system translation", augment=("dy",)),
    Cell("dx", "Δx note translation", augment=("dx",)),
    Cell("sheet", "all three of the sheet", augment=tuple(SHEET)),
    Cell("onset", "onset ± 1 frame (later code, in place of Δx)", onset_shift=1),
    Cell("full", "all of the paper", fonts=True, tempo=True, augment=tuple(SHEET)),
)


@dataclass(frozen=True)
class Scale:
    """How much. `steps` of every network; `pieces` to train on, `tested` to measure on, `candidates` to rank,
    `followed` recordings to align (None: all); `minutes` a network on two CPU cores."""

    name: str
    steps: int
    pieces: int | None = None
    tested: int | None = None
    candidates: int | None = None
    followed: int | None = None
    evaluations: int = 4
    validation: int | None = None
    minutes: float | None = None
    note: str = ""


SCALES = {
    "small": Scale(
        "small",
        steps=300,
        pieces=40,
        tested=26,
        candidates=2000,
        followed=10,
        evaluations=2,
        validation=500,
        minutes=5.0,
        note="Not the paper's network: ours at half its channels, cross entropy, no CCA, 300 steps of 128 pairs.",
    ),
    # At most 1000 epochs of 10,000 pairs, 100 a step; the plateau ends it before.
    "paper": Scale("paper", steps=100_000, evaluations=1000, validation=1000),
}


def cells_called(patterns: Sequence[str]) -> list[Cell]:
    """The cells whose names match a pattern; all, without any.

    Raises:
        ValueError: a pattern that matches nothing.
    """
    return called(CELLS, patterns)


def base_recipe(scale: str) -> TrainingConfig:
    """The recipe that all cells of a scale vary."""
    return load_recipe(Path(__file__).parent / f"dorfer2017_{scale}.yaml", ["train=[{path: none}]"])


def recipe_of(cell: Cell, scale: Scale, places: Places, seed: int) -> TrainingConfig:
    """A cell's training."""
    base = base_recipe(scale.name)
    every = max(1, scale.steps // scale.evaluations)
    sheets = str(places.sheets)
    return replace(
        base,
        name=cell.name,
        train=(TrainingData(sheets, ids=str(places.ids(cell.name))),),
        validation=(ValidationData(sheets, n=scale.validation, name="validation"),),
        pair_augment=cell.options,
        max_steps=scale.steps,
        evaluate_every=every,
        save_every=max(1, min(every, base.save_every)),
        seed=seed,
        output_dir=str(places.out / f"seed{seed}"),
        cache_dir=places.cache_dir,
    )


def reproduce_tables(
    *, scale: str, seeds: Sequence[int], places: Places, cells: Sequence[Cell], command: str
) -> dict[str, Any]:
    """Train and measure the cells, each from where an earlier call left it; writes results.json, .md and .png."""
    from hfmusic.reproduce.dorfer2017_report import score_of, write_report

    settings = SCALES[scale]
    chosen = choose_renditions(places, CELLS, pieces=settings.pieces, tested=settings.tested)
    about = {"data": places.data, "renditions": chosen, "note": settings.note}
    summary: dict[str, Any] = {}
    total = len(cells) * len(seeds)
    for number, (seed, cell) in enumerate(((seed, cell) for seed in seeds for cell in cells), 1):
        print(f"[{number}/{total}] seed {seed}, {cell.name}", flush=True)
        file = places.out / f"seed{seed}" / f"{cell.name}.json"
        if not file.is_file():
            result = {"cell": cell.name, "scale": scale, **_run(cell, settings, places, seed)}
            write_atomic(file, json.dumps(result, indent=1) + "\n")
        result = json.loads(file.read_text(encoding="utf-8"))
        print(f"  R@25 {score_of(result, 'r@25'):.1f} %, median rank {score_of(result, 'median_rank'):.0f}", flush=True)
        summary = write_report(places.out, scale=scale, command=command, about=about)
    return summary


def _run(cell: Cell, scale: Scale, places: Places, seed: int) -> dict[str, Any]:
    """Train a network to its last step, and measure it."""
    from hfmusic.training.loop import Training

    config = recipe_of(cell, scale, places, seed)
    training = Training(config, resume=True)
    folder = training.run()
    over = training.plateau is not None and training.plateau.over
    if training.position.step < config.max_steps and not over:
        raise KeyboardInterrupt(f"{config.name} stopped at step {training.position.step} of {config.max_steps}")
    measured = measure(folder / "model", scale, places, seed, follow=cell.name in FOLLOWERS)
    for checkpoint in checkpoint_folders(folder):
        shutil.rmtree(checkpoint)
    return {
        "seed": seed,
        "parameters": sum(weight.numel() for weight in training.plain_model.parameters()),
        "steps": training.position.step,
        "batch_size": config.batch_size,
        "minutes": round(training.minutes, 2),
        **measured,
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
    }


def measure(folder: Path, scale: Scale, places: Places, seed: int, *, follow: bool) -> dict[str, Any]:
    """The three protocols on the chosen test renditions; with `follow` also the alignment."""
    import torch

    from hfmusic.hub import load

    loaded = load(str(folder), runtime="torch")
    network: Any = loaded.model
    embedder = PairEmbedder(loaded._replace(model=network.to("cuda" if torch.cuda.is_available() else "cpu")))
    pairs = embed_split(embedder, places.sheets, seed=seed)
    unique = list(unique_pairs(pairs))
    ranks, pieces = identify(pairs)
    alignment: Mapping[str, Any] = {}
    if follow:
        followed = follow_split(embedder, places.sheets, count=scale.followed)
        joined = {name: np.concatenate([one.errors[name] for one in followed]) for name in METHODS}
        boxes = {name: _box(joined[name]) for name in METHODS}
        alignment = {name: {**scores, "box": boxes[name]} for name, scores in follow_scores(followed).items()}
    return {
        "unique_pairs": len(unique),
        "retrieval": retrieve(pairs, [unique[place] for place in evenly(len(unique), scale.candidates)]),
        "ranks": {kind: found.tolist() for kind, found in ranks.items()},
        "pieces": pieces,
        "alignment": alignment,
    }


def _box(errors: np.ndarray) -> dict[str, float]:
    """What matplotlib draws a box from."""
    return dict(zip(BOX, np.percentile(errors, list(BOX.values())).tolist(), strict=True))
