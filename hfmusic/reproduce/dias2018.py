"""Paper 004: its failing row (table 2), and what becomes of it as its causes are mended, one after another.

The causes are those of its public code. All cells are measured on the same windows of the same pieces, a step beside
those that a training which has these pieces sees.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hfmusic
from hfmusic.evaluate_rolls import measure_rolls
from hfmusic.files import write_atomic
from hfmusic.reproduce.comparisons import called
from hfmusic.reproduce.dias2018_data import Places, choose_pieces
from hfmusic.training.checkpoint import checkpoint_folders
from hfmusic.training.config import OptimizerConfig, ScheduleConfig, TrainingConfig, TrainingData, load_recipe

if TYPE_CHECKING:
    from hfmusic.hub import Loaded

# In the order in which they are mended: each cell has all that those before it have.
MENDED = {
    "eval": "both networks measured in evaluation mode",
    "velocity": "notes struck as the MIDI says, not with velocity 1",
    "log": "magnitudes in decibels",
    "blocks": "block 4 has weights of its own",
    "split": "no tested piece is trained on",
    "unique": "each roll at most once a batch",
    "recipe": "another loss and learning rate, norm before ELU",
}
FIRST_STEP = 1  # of measured windows; those trained on begin at even steps
TRAINED = "trained.json"


@dataclass(frozen=True)
class Cell:
    """A row of the table.

    Attributes:
        mended: causes that are out of the way, of `MENDED`.
        network: the cell whose network is measured: whatever is mended after the training shares one.
    """

    name: str
    title: str
    mended: tuple[str, ...] = ()
    network: str = ""

    @property
    def trained(self) -> bool:
        return self.name != "untrained"


def _cells() -> tuple[Cell, ...]:
    cells = [Cell("untrained", "untrained, measured as the paper's code does"), Cell("paper", "as published")]
    for name, title in MENDED.items():
        cells.append(Cell(name, f"+ {title}", (*cells[-1].mended, name)))
    return tuple(replace(cell, network="paper" if cell.name == "eval" else cell.name) for cell in cells)


CELLS = _cells()


@dataclass(frozen=True)
class Scale:
    """How much. `steps` of every network, of `width` channels in its first block; `pieces` to train on (None: all but
    those `tested`), `candidates` to rank; `minutes` a network on two CPU cores."""

    name: str
    steps: int
    width: int = 24
    pieces: int | None = None
    tested: int = 7
    candidates: int = 672
    minutes: float | None = None
    note: str = ""


SCALES = {
    "small": Scale("small", steps=1000, width=12, minutes=4.0, note="Half of the paper's channels, 1000 steps."),
    # 20 to 25 epochs of some 1,000 batches: 14 pieces, a window every second of 24 steps a beat.
    "paper": Scale("paper", steps=25_000),
}


def cells_called(patterns: Sequence[str]) -> list[Cell]:
    """The cells whose names match a pattern; all, without any.

    Raises:
        ValueError: a pattern that matches nothing.
    """
    return called(CELLS, patterns)


def base_recipe(scale: str) -> TrainingConfig:
    """The recipe of the failing row, which the cells of a scale mend."""
    return load_recipe(Path(__file__).parent / f"dias2018_{scale}.yaml", ["train=[{path: none}]"])


def recipe_of(cell: Cell, scale: Scale, places: Places, seed: int) -> TrainingConfig:
    """The training of a cell's network."""
    from hfmusic.models.configuration_audio_score import vgg

    base, mended = base_recipe(scale.name), set(cell.mended)
    better = "recipe" in mended
    tower = vgg(scale.width, shared="blocks" not in mended, norm_last=not better)
    kind, split = "loud" if "velocity" in mended else "quiet", "train" if "split" in mended else "leaked"
    return replace(
        base,
        name=cell.network,
        train=(TrainingData(str(places.rolls(kind)), split=split),),
        model={**base.model, "audio_tower": tower, "score_tower": tower, **({"loss": "info_nce"} if better else {})},
        processor={**base.processor, "scaling": "decibels" if "log" in mended else "magnitude"},
        pairs=replace(base.pairs, unique="unique" in mended),
        optimizer=OptimizerConfig("adam", lr=2e-3, weight_decay=0.0) if better else base.optimizer,
        schedule=ScheduleConfig("one_cycle", final=0.01) if better else base.schedule,
        max_steps=scale.steps,
        evaluate_every=scale.steps,
        seed=seed,
        output_dir=str(places.out / f"seed{seed}" / "networks"),
        cache_dir=places.cache_dir,
    )


def reproduce_table(
    *, scale: str, seeds: Sequence[int], places: Places, cells: Sequence[Cell], command: str
) -> dict[str, Any]:
    """Train and measure the cells, each from where an earlier call left it; writes results.json, .md and .png."""
    from hfmusic.reproduce.dias2018_report import score_of, write_report

    settings = SCALES[scale]
    chosen = choose_pieces(places, pieces=settings.pieces, tested=settings.tested)
    about = {"data": [places.loud, places.quiet], "pieces": chosen, "note": settings.note}
    summary: dict[str, Any] = {}
    total = len(cells) * len(seeds)
    for number, (seed, cell) in enumerate(((seed, cell) for seed in seeds for cell in cells), 1):
        print(f"[{number}/{total}] seed {seed}, {cell.name}", flush=True)
        file = places.out / f"seed{seed}" / f"{cell.name}.json"
        if not file.is_file():
            result = {"cell": cell.name, "scale": scale, "seed": seed, **_run(cell, settings, places, seed)}
            write_atomic(file, json.dumps(result, indent=1) + "\n")
        result = json.loads(file.read_text(encoding="utf-8"))
        print(f"  R@25 {100 * score_of(result, 'r@25'):.1f} %, MRR {score_of(result, 'mrr'):.3f}", flush=True)
        summary = write_report(places.out, scale=scale, command=command, about=about)
    return summary


def _run(cell: Cell, scale: Scale, places: Places, seed: int) -> dict[str, Any]:
    """Train a cell's network to its last step, unless that is done, and measure it."""
    from hfmusic.hearing.roll_space import ModelSpace

    config = recipe_of(cell, scale, places, seed)
    loaded, trained = _network(config) if cell.trained else _fresh(config)
    if "eval" not in cell.mended:
        loaded = as_published(loaded)
    test = places.rolls("loud" if "velocity" in cell.mended else "quiet")
    report = measure_rolls(ModelSpace(loaded, cell.name), test, n=scale.candidates, seed=seed, first_step=FIRST_STEP)
    about = {"date": datetime.now(UTC).date().isoformat(), "version": hfmusic.__version__}
    return {**trained, "batch_size": config.batch_size, **asdict(report), **about}


def _fresh(config: TrainingConfig) -> tuple[Loaded, dict[str, Any]]:
    import torch

    from hfmusic.hub import Loaded
    from hfmusic.training.pair_model import build_audio_score

    torch.manual_seed(config.seed)
    built: tuple[Any, Any] = build_audio_score(config)
    model, processor = built
    return Loaded(model.eval(), processor), {"parameters": model.num_parameters(), "steps": 0, "minutes": 0.0}


def _network(config: TrainingConfig) -> tuple[Loaded, dict[str, Any]]:
    """A trained network, and what its training was."""
    from hfmusic.hub import load
    from hfmusic.training.loop import Training

    about = config.run_dir / TRAINED
    if not about.is_file():
        training = Training(config, resume=True)
        folder = training.run()
        if training.position.step < config.max_steps:
            raise KeyboardInterrupt(f"{config.name} stopped at step {training.position.step} of {config.max_steps}")
        for checkpoint in checkpoint_folders(folder):
            shutil.rmtree(checkpoint)
        parameters = sum(weight.numel() for weight in training.plain_model.parameters())
        numbers = {"parameters": parameters, "steps": training.position.step}
        write_atomic(about, json.dumps({**numbers, "minutes": round(training.minutes, 2)}) + "\n")
    return load(str(config.run_dir / "model"), runtime="torch"), json.loads(about.read_text(encoding="utf-8"))


def as_published(loaded: Loaded) -> Loaded:
    """A model whose queries are embedded as by the paper's code: a query at a time, in training mode.

    The mean over a map that was normalised over itself is the norm's shift, whatever was heard: all queries are alike.
    """
    import torch

    network: Any = loaded.model
    plain = network.get_audio_features

    def one_by_one(input_features: torch.Tensor) -> torch.Tensor:
        network.audio_tower.train()
        try:
            return torch.cat([plain(one) for one in input_features.split(1)])
        finally:
            network.audio_tower.eval()

    network.get_audio_features = one_by_one
    return loaded
