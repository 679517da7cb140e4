"""Paper 001: a transcriber trained on three sets of recordings, fine-tuned each way, measured on two (tables 1 to 3).

The sets are MAPS (piano), GuitarSet, and recordings synthesized from both sets' notes. Whether compositions of the test
sets may be trained on is the protocol: "paper" takes the sets as they are, "leak-free" drops those recordings.
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
from tqdm.auto import tqdm

import hfmusic
from hfmusic.data.staves import parquet_files
from hfmusic.files import write_atomic
from hfmusic.metrics.notes import note_scores
from hfmusic.reproduce.comparisons import called
from hfmusic.reproduce.les2023_numbers import TABLES
from hfmusic.training.checkpoint import checkpoint_folders, read_log
from hfmusic.training.config import TrainingConfig, TrainingData, ValidationData, load_recipe
from hfmusic.training.recording_data import note_events
from hfmusic.training.sound_cache import SoundCache, sound_cache

REAL = ("maps", "guitarset")
SETS = (*REAL, "synthesized")
TITLES = {"maps": "MAPS", "guitarset": "GuitarSet", "synthesized": "Synthesized"}
PROTOCOLS = ("leak-free", "paper")
MEASURES = ("precision", "recall", "f1")
SAMPLING_RATE = 16000


@dataclass(frozen=True)
class Cell:
    """One network: trained on `target`, from another's weights or from nothing. Its name is SOURCE-TARGET."""

    target: str
    source: str | None = None

    @property
    def name(self) -> str:
        return self.target if self.source is None else f"{self.source}-{self.target}"

    @property
    def title(self) -> str:
        return TITLES[self.target] if self.source is None else f"{TITLES[self.source]} → {TITLES[self.target]}"


CELLS = (
    *(Cell(name) for name in SETS),
    Cell("maps", "synthesized"),
    Cell("guitarset", "synthesized"),
    Cell("maps", "guitarset"),
    Cell("guitarset", "maps"),
)


@dataclass(frozen=True)
class Scale:
    """How much. `steps` of every network, or `epochs` over its recordings; `seconds` of each test recording measured,
    `validation` recordings of each real set, `evaluations` while training; `minutes` a network on two CPU cores."""

    name: str
    steps: int = 0
    epochs: int = 0
    seconds: float | None = None
    validation: int | None = None
    evaluations: int = 10
    minutes: float | None = None

    def step_count(self, recordings: int, batch_size: int) -> int:
        return self.steps or self.epochs * -(-recordings // batch_size)


SCALES = {
    "small": Scale("small", steps=2000, seconds=30.0, validation=12, minutes=9.0),
    "paper": Scale("paper", epochs=2000, evaluations=200),
}


@dataclass(frozen=True)
class Places:
    """Where the three sets, the lists of recordings and the runs are."""

    folders: Mapping[str, str]
    out: Path
    cache_dir: str
    protocol: str

    def ids(self, name: str, part: str) -> Path:
        """The list of a set's recordings that are trained or validated on."""
        return self.out / "recordings" / f"{name}-{part}.txt"

    def model(self, cell: str, seed: int) -> Path:
        return self.out / f"seed{seed}" / cell / "model"

    def has(self, name: str, split: str) -> bool:
        """Whether a set has recordings of a split: a folder of sounds and labels is a test set, the Hub has all."""
        folder = Path(self.folders[name])
        if not folder.is_dir():
            return True
        return bool(parquet_files(folder, split)) or split == "test"

    def cache(self, name: str, split: str) -> SoundCache:
        return sound_cache(self.folders[name], split, sampling_rate=SAMPLING_RATE, cache_dir=self.cache_dir)


def cells_called(patterns: Sequence[str]) -> list[Cell]:
    """The cells whose names match a pattern (all, without any), after those that they start from.

    Raises:
        ValueError: a pattern that matches nothing.
    """
    wanted = called(CELLS, patterns)
    needed = {cell.source for cell in wanted} | {cell.name for cell in wanted}
    return [cell for cell in CELLS if cell.name in needed]


def base_recipe(scale: str) -> TrainingConfig:
    """The recipe that all cells of a scale vary."""
    return load_recipe(Path(__file__).parent / f"les2023_{scale}.yaml", ["train=[{path: none}]"])


def choose_recordings(places: Places) -> dict[str, dict[str, int]]:
    """Write the lists of recordings to train and validate on; what they hold, set by set.

    `tested` counts the recordings of the training split whose composition is in a test set; the protocol "leak-free"
    drops them. A split that a set has not is no list.

    Raises:
        ValueError: nothing is left of a list.
    """
    tested = {work for name in REAL for work in places.cache(name, "test").works}
    about: dict[str, dict[str, int]] = {}
    for name in SETS:
        counts = {"test": len(places.cache(name, "test"))} if name in REAL else {}
        for part in ("train", "validation") if name in REAL else ("train",):
            if not places.has(name, part):
                continue
            cache = places.cache(name, part)
            pairs = list(zip(cache.ids, cache.works, strict=True))
            kept = [one for one, work in pairs if places.protocol == "paper" or work not in tested]
            if not kept:
                raise ValueError(
                    f"{places.folders[name]} has no {part} recording whose composition is not in the test sets: "
                    "build it leak-free"
                )
            write_atomic(places.ids(name, part), "\n".join(kept) + "\n")
            counts |= {part: len(kept)} | (
                {"tested": sum(work in tested for _, work in pairs)} if part == "train" else {}
            )
        about[name] = counts
    return about


def trainable(cells: Sequence[Cell], places: Places) -> list[Cell]:
    """The cells whose sets have recordings to train on; tells which are left out.

    Raises:
        ValueError: none is left.
    """
    lacking = [name for name in SETS if not places.has(name, "train")]
    left = [cell for cell in cells if cell.target not in lacking and cell.source not in lacking]
    if lacking:
        folders = ", ".join(places.folders[name] for name in lacking)
        gone = ", ".join(cell.name for cell in cells if cell not in left)
        told = f"no recordings to train on in {folders}: {gone or 'no cell'} left out"
        if not left:
            raise ValueError(told)
        print(told, flush=True)
    return left


def recipe_of(cell: Cell, scale: Scale, places: Places, seed: int) -> TrainingConfig:
    """A cell's training. All cells have the same network, optimizer and steps (or epochs, at the paper's scale)."""
    base = base_recipe(scale.name)
    recordings = len(places.ids(cell.target, "train").read_text(encoding="utf-8").split())
    steps = scale.step_count(recordings, base.batch_size)
    every = max(1, steps // scale.evaluations)
    data = TrainingData(places.folders[cell.target], ids=str(places.ids(cell.target, "train")))
    validation = tuple(
        ValidationData(
            places.folders[name],
            n=scale.validation,
            monitor=False,
            name=name,
            ids=str(places.ids(name, "validation")),
        )
        for name in REAL
        if places.has(name, "validation")
    )
    initial = None if cell.source is None else str(places.model(cell.source, seed))
    return replace(
        base,
        name=cell.name,
        train=(data,),
        validation=validation,
        model={} if initial else base.model,
        initial=initial,
        max_steps=steps,
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
    from hfmusic.reproduce.les2023_report import write_report

    about = {"protocol": places.protocol, "data": dict(places.folders), "recordings": choose_recordings(places)}
    cells = trainable(cells, places)
    summary: dict[str, Any] = {}
    total = len(cells) * len(seeds)
    for number, (seed, cell) in enumerate(((seed, cell) for seed in seeds for cell in cells), 1):
        print(f"[{number}/{total}] seed {seed}, {cell.name}", flush=True)
        file = places.out / f"seed{seed}" / f"{cell.name}.json"
        if not file.is_file():
            config = recipe_of(cell, SCALES[scale], places, seed)
            result = {
                "cell": cell.name,
                "scale": scale,
                "protocol": places.protocol,
                **_run(config, SCALES[scale], places),
            }
            write_atomic(file, json.dumps(result, indent=1) + "\n")
        result = json.loads(file.read_text(encoding="utf-8"))
        told = (f"{TITLES[name]} note F1 {100 * mean_of(result, name, 'note', 'f1'):.1f} %" for name in REAL)
        print("  " + ", ".join(told), flush=True)
        summary = write_report(places.out, scale=scale, command=command, about=about)
    return summary


def mean_of(result: Mapping[str, Any], name: str, level: str, measure: str) -> float:
    """Mean of a measure over a test set's recordings, 0..1."""
    return float(np.mean([scores[f"{level}_{measure}"] for scores in result["tests"][name].values()]))


def _run(config: TrainingConfig, scale: Scale, places: Places) -> dict[str, Any]:
    """Train a network to its last step, and measure it: scores of every test recording."""
    from hfmusic.training.loop import Training

    training = Training(config, resume=True)
    folder = training.run()
    if training.position.step < config.max_steps:
        raise KeyboardInterrupt(f"{config.name} stopped at step {training.position.step} of {config.max_steps}")
    entries = [entry for entry in read_log(folder / "log.jsonl") if any(f"note_f1/{name}" in entry for name in REAL)]
    known = [name for name in REAL if entries and f"note_f1/{name}" in entries[0]]
    curve = [
        {
            "step": entry["step"],
            **{f"{level}/{name}": entry[f"{level}_f1/{name}"] for level in TABLES for name in known},
        }
        for entry in entries
    ]
    tests = {name: measure(folder / "model", places.cache(name, "test"), scale.seconds, name) for name in REAL}
    for checkpoint in checkpoint_folders(folder):
        shutil.rmtree(checkpoint)
    return {
        "seed": config.seed,
        "parameters": sum(weight.numel() for weight in training.plain_model.parameters()),
        "steps": config.max_steps,
        "batch_size": config.batch_size,
        "minutes": round(training.minutes, 2),
        "seconds": scale.seconds,
        "tests": tests,
        "curve": curve,
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
    }


def measure(folder: Path, cache: SoundCache, seconds: float | None, title: str) -> dict[str, dict[str, float]]:
    """Scores of a model folder on each recording of a test set, or on its first seconds, whose notes are cut alike."""
    import torch

    from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
    from hfmusic.models.processing_unet_transcriber import TranscriberProcessor

    model = UNetTranscriber.from_pretrained(folder).eval().to("cuda" if torch.cuda.is_available() else "cpu")
    processor = TranscriberProcessor.from_pretrained(folder)
    scores = {}
    for place in tqdm(range(len(cache)), desc=f"hearing {title}", leave=False):
        sound = cache.sound(place, 0, None if seconds is None else int(seconds * cache.sampling_rate))
        end = len(sound) / cache.sampling_rate
        notes = cache.notes_of(place)
        notes = notes[notes[:, 0] < end].copy()
        notes[:, 1] = np.minimum(notes[:, 1], end)
        found = note_scores(note_events(notes), processor.transcribe(model, sound))
        kept = {f"{level}_{name}": found[f"{level}_{name}"] for level in TABLES for name in MEASURES}
        scores[cache.ids[place]] = {name: round(value, 5) for name, value in kept.items()}
    return scores
