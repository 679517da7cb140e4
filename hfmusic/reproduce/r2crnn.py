"""Table 1 of paper 002: CRNN and R2-CRNN, trained on clean or distorted staves in two encodings, measured on both."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hfmusic
from hfmusic.files import write_atomic
from hfmusic.metrics.sequence import edit_distance
from hfmusic.reproduce.comparisons import called
from hfmusic.training.config import TrainingConfig, load_recipe

ARCHITECTURES = {"crnn": "CRNN", "r2crnn": "R2-CRNN"}
ENCODINGS = ("agnostic", "semantic")
PICTURES = {"image": "clean", "distorted": "distorted"}
# Splits measured on. Nothing is chosen by the validation split here, so a small dataset's is measured on too.
MEASURED = {"small": ("test", "validation"), "paper": ("test",)}
# SER and ER in percent: trained on, encoding, architecture, measured on.
PAPER = {
    ("image", "agnostic", "crnn"): {"image": (1.10, 21.7), "distorted": (44.3, 95.1)},
    ("image", "semantic", "crnn"): {"image": (0.80, 12.5), "distorted": (59.7, 97.9)},
    ("image", "agnostic", "r2crnn"): {"image": (0.59, 16.2), "distorted": (7.63, 20.9)},
    ("image", "semantic", "r2crnn"): {"image": (0.56, 13.4), "distorted": (38.19, 91.0)},
    ("distorted", "agnostic", "crnn"): {"image": (1.40, 24.9), "distorted": (1.6, 24.7)},
    ("distorted", "semantic", "crnn"): {"image": (3.3, 44.6), "distorted": (3.4, 38.3)},
    ("distorted", "agnostic", "r2crnn"): {"image": (0.68, 18.7), "distorted": (1.01, 27.8)},
    ("distorted", "semantic", "r2crnn"): {"image": (1.06, 25.4), "distorted": (1.50, 35.8)},
}
RESAMPLINGS = 2000


@dataclass(frozen=True)
class Cell:
    """One network: `trained` is the column of pictures it sees, "image" (clean) or "distorted"."""

    trained: str
    encoding: str
    architecture: str

    @property
    def name(self) -> str:
        return f"{self.architecture}-{self.encoding}-{PICTURES[self.trained]}"


def table_cells() -> list[Cell]:
    """The eight networks; the two that are compared stand side by side."""
    return [Cell(*key) for key in PAPER]


def cells_called(patterns: Sequence[str]) -> list[Cell]:
    """The cells whose names match a pattern; all, without any.

    Raises:
        ValueError: a pattern that matches nothing.
    """
    return called(table_cells(), patterns)


def base_recipe(scale: str) -> TrainingConfig:
    """The recipe that all cells of a scale vary: a CRNN's, read in semantic tokens."""
    return load_recipe(Path(__file__).parent / f"r2crnn_{scale}.yaml", ["train=[{path: none}]"])


def recipe_of(cell: Cell, scale: str, images: str, out: Path, seed: int, cache_dir: str) -> TrainingConfig:
    """A cell's training. Both architectures have the same steps, staves, sizes and optimizer."""
    base = base_recipe(scale)
    rectifier = {"leaky_relu_slope": 0.0} if cell.architecture == "r2crnn" else {}
    distorted = 1.0 if cell.trained == "distorted" else 0.0
    data = replace(base.train[0], path=images, distorted_probability=distorted, max_width=_widest(scale))
    return replace(
        base,
        name=cell.name,
        architecture=cell.architecture,
        vocabulary=cell.encoding,
        model={**base.model, **rectifier},
        train=(data,),
        seed=seed,
        output_dir=str(out / f"seed{seed}"),
        cache_dir=cache_dir,
    )


def _widest(scale: str) -> int | None:
    """Columns of the widest training staves: the small scale leaves out long ones."""
    return 440 if scale == "small" else None


def reproduce_table(
    *, scale: str, seeds: Sequence[int], out: Path, images: str, cells: Sequence[Cell], cache_dir: str, command: str
) -> dict[str, Any]:
    """Train and measure the cells, each from where an earlier call left it; writes results.json and results.md."""
    summary: dict[str, Any] = {}
    total = len(cells) * len(seeds)
    for number, (seed, cell) in enumerate(((seed, cell) for seed in seeds for cell in cells), 1):
        print(f"[{number}/{total}] seed {seed}, {cell.name}", flush=True)
        file = out / f"seed{seed}" / f"{cell.name}.json"
        if not file.is_file():
            config = recipe_of(cell, scale, images, out, seed, cache_dir)
            write_atomic(file, json.dumps(_run(cell, config, MEASURED[scale], images), indent=1) + "\n")
        result = json.loads(file.read_text(encoding="utf-8"))
        print("  " + ", ".join(f"{PICTURES[c]} {_ser(result, c):.2f}" for c in PICTURES), flush=True)
        summary = write_report(out, scale=scale, command=command)
    return summary


def _run(cell: Cell, config: TrainingConfig, splits: Sequence[str], images: str) -> dict[str, Any]:
    """What a cell's network, trained to its last step, reads of each kind of picture: edits of every staff."""
    from hfmusic.evaluate import read_split
    from hfmusic.hub import load
    from hfmusic.training.loop import Training

    training = Training(config, resume=True)
    folder = training.run()
    if training.position.step < config.max_steps:
        raise KeyboardInterrupt(f"{config.name} stopped at step {training.position.step} of {config.max_steps}")
    loaded, staves = load(str(folder / "model")), {}
    for column in PICTURES:
        rows = []
        for split in splits:
            readings, _ = read_split(loaded, images, split=split, image=column)
            triples = zip(readings.ids, readings.references, readings.predictions, strict=True)
            rows += [[one, edit_distance(truth, read), len(truth)] for one, truth, read in triples]
        staves[column] = rows
    return {
        "cell": cell.name,
        "seed": config.seed,
        "parameters": sum(p.numel() for p in training.plain_model.parameters() if p.requires_grad),
        "steps": config.max_steps,
        "batch_size": config.batch_size,
        "minutes": round(training.minutes, 2),
        "splits": list(splits),
        "staves": staves,
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
    }


def _ser(result: dict[str, Any], column: str) -> float:
    edits, symbols = (sum(row[place] for row in result["staves"][column]) for place in (1, 2))
    return 100 * edits / symbols


def _er(result: dict[str, Any], column: str) -> float:
    rows = result["staves"][column]
    return 100 * sum(row[1] > 0 for row in rows) / len(rows)


def compare(first: dict[str, Any], second: dict[str, Any], column: str, *, seed: int = 0) -> tuple[float, float, float]:
    """SER of `first` less that of `second` on the same staves, percent, and its 95 % interval (paired bootstrap)."""
    theirs = {row[0]: row[1:] for row in second["staves"][column]}
    pairs = [(row[1] - theirs[row[0]][0], row[2]) for row in first["staves"][column]]
    draw = random.Random(seed)

    def rate(rows: Sequence[tuple[int, int]]) -> float:
        return 100 * sum(edits for edits, _ in rows) / sum(symbols for _, symbols in rows)

    drawn = sorted(rate(draw.choices(pairs, k=len(pairs))) for _ in range(RESAMPLINGS))
    return rate(pairs), drawn[int(0.025 * RESAMPLINGS)], drawn[int(0.975 * RESAMPLINGS)]


def write_report(out: Path, *, scale: str, command: str) -> dict[str, Any]:
    """Write results.json and results.md from the cells that are done; what results.json holds."""
    results: dict[int, dict[str, Any]] = {}
    for file in sorted(out.glob("seed*/*.json")):
        one = json.loads(file.read_text(encoding="utf-8"))
        results.setdefault(one["seed"], {})[one["cell"]] = one
    rows = [row for seed in sorted(results) for row in _comparisons(results[seed], seed)]
    summary = {
        "paper": "r2crnn",
        "scale": scale,
        "command": command,
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
        "cells": [_told(one) for seed in sorted(results) for one in results[seed].values()],
        "findings": rows,
    }
    write_atomic(out / "results.json", json.dumps(summary, indent=1) + "\n")
    write_atomic(out / "results.md", markdown(results, rows, summary))
    return summary


def _told(result: dict[str, Any]) -> dict[str, Any]:
    kept = ("cell", "seed", "parameters", "steps", "batch_size", "minutes")
    rates = {
        PICTURES[c]: {"ser": _ser(result, c), "er": _er(result, c), "n": len(result["staves"][c])} for c in PICTURES
    }
    return {**{key: result[key] for key in kept}, **rates}


def _comparisons(results: dict[str, Any], seed: int) -> list[dict[str, Any]]:
    """The paper's claim, cell by cell: the R2-CRNN has a lower SER than the CRNN."""
    rows = []
    for trained in PICTURES:
        for encoding in ENCODINGS:
            pair = [results.get(Cell(trained, encoding, kind).name) for kind in ARCHITECTURES]
            if None in pair:
                continue
            for column in PICTURES:
                gain, low, high = compare(pair[0], pair[1], column)  # type: ignore[arg-type]
                verdict = "holds" if low > 0 else "does not hold" if high < 0 else "no clear difference"
                claim = f"R2-CRNN beats CRNN: {encoding}, trained {PICTURES[trained]}, read {PICTURES[column]}"
                numbers = f"CRNN less R2-CRNN {gain:+.2f} [{low:+.2f}, {high:+.2f}], seed {seed}"
                rows.append({"claim": claim, "verdict": verdict, "numbers": numbers})
    return rows


def markdown(results: dict[int, dict[str, Any]], findings: list[dict[str, Any]], summary: dict[str, Any]) -> str:
    """results.md."""
    lines = [
        f"# Paper 002 (R2-CRNN), table 1, scale {summary['scale']}",
        "",
        f"`{summary['command']}`; {summary['date']}, hfmusic {summary['version']}.",
        "Symbol error rate / sequence error rate in percent, greedy decoding; the paper's below each row.",
    ]
    for seed, cells in sorted(results.items()):
        splits = next(iter(cells.values()))["splits"]
        count = len(next(iter(cells.values()))["staves"]["image"])
        lines += ["", f"## Seed {seed}: {count} staves of unseen works ({' and '.join(splits)})", "", *_table(cells)]
    lines += ["", "## Does the R2-CRNN beat the CRNN in every cell?", ""]
    lines += ["| claim | verdict | SER difference [95 % interval] |", "|---|---|---|"]
    lines += [f"| {row['claim']} | **{row['verdict']}** | {row['numbers']} |" for row in findings]
    lines += ["", "Intervals are a paired bootstrap over staves; they say nothing of another seed's training.", ""]
    return "\n".join(lines)


def _table(cells: dict[str, Any]) -> list[str]:
    columns = [(column, encoding) for column in PICTURES for encoding in ENCODINGS]
    heads = [f"read {PICTURES[column]}, {encoding}" for column, encoding in columns]
    lines = ["| trained on | network | " + " | ".join(heads) + " | parameters | minutes |"]
    lines += ["|---|---|" + "---:|" * (len(heads) + 2)]
    for trained in PICTURES:
        for kind, title in ARCHITECTURES.items():
            found = {encoding: cells.get(Cell(trained, encoding, kind).name) for encoding in ENCODINGS}
            ours = [_pair(found[encoding], column) for column, encoding in columns]
            theirs = ["{:g} / {:g}".format(*PAPER[trained, encoding, kind][column]) for column, encoding in columns]
            done = [one for one in found.values() if one]
            size = ", ".join(f"{one['parameters']:,}" for one in done)
            minutes = ", ".join(f"{one['minutes']:.0f}" for one in done)
            lines.append(f"| {PICTURES[trained]} | {title} | " + " | ".join(ours) + f" | {size} | {minutes} |")
            lines.append("| | *paper* | " + " | ".join(f"*{one}*" for one in theirs) + " | | |")
    return lines


def _pair(result: dict[str, Any] | None, column: str) -> str:
    return "-" if result is None else f"{_ser(result, column):.2f} / {_er(result, column):.1f}"
