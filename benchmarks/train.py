"""Training samples per second, against the same model in a plain loop.

    python -m benchmarks.train [--recipe crnn_omr] [--data dist/primus-omr] [--rounds 12] [--threads N]
        [--output benchmarks/train.md]

The plain loop is what one writes first: a shuffled batch of 4 padded to its longest, float32, a plain output layer,
Adam, no buckets, no augmentation. It is measured with the features at hand and with the pictures read each time. All
ways take turns in one process, loading included (no worker processes), so that a busy machine slows all alike. Staves
a second are by the clock, which other work on the machine holds up, and by CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from hfmusic.data.staves import read_staves
from hfmusic.training.config import load_recipe
from hfmusic.training.data import TrainingStaves, training_loader
from hfmusic.training.loop import Training

PLAIN_BATCH = 4
STAVES = 400

# A batch: features float32 (B, 1, H, W), mask int64 (B, W), labels int64 (B, L), and how much of W is real
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


@dataclass
class Way:
    """One way of training. `step` takes one optimizer step and gives how many staves and columns (real, all) it saw."""

    name: str
    step: Callable[[], tuple[int, int, int]]
    flush_denormal: bool
    rates: list[float] = field(default_factory=list)
    cpu_rates: list[float] = field(default_factory=list)
    real: int = 0
    columns: int = 0

    def run(self, staves: int, *, timed: bool = True) -> None:
        torch.set_flush_denormal(self.flush_denormal)
        seen, start, cpu_start = 0, time.perf_counter(), time.process_time()
        while seen < staves:
            count, real, columns = self.step()
            seen, self.real, self.columns = seen + count, self.real + real, self.columns + columns
        if timed:
            self.rates.append(seen / (time.perf_counter() - start))
            self.cpu_rates.append(seen / (time.process_time() - cpu_start))


def our_steps(training: Training) -> Callable[[], tuple[int, int, int]]:
    """The project's loop, step by step: buckets, augmentation, factorised head, averaged weights, channels last."""
    batches = iter(training_loader(training.task.staves, training.config))

    def step() -> tuple[int, int, int]:
        batch = next(batches)
        training._step(batch)
        return len(batch["ids"]), int(batch["attention_mask"].sum()), batch["attention_mask"].numel()

    return step


def plain_steps(model: nn.Module, batches: Iterator[Batch]) -> Callable[[], tuple[int, int, int]]:
    optimizer = torch.optim.Adam([weight for weight in model.parameters() if weight.requires_grad], lr=1e-3)

    def step() -> tuple[int, int, int]:
        features, mask, labels = next(batches)
        model.train()
        loss = model(input_features=features, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        return len(features), int(mask.sum()), mask.numel()

    return step


def plain_batches(features: Callable[[int], np.ndarray], labels: list[np.ndarray], stride: int) -> Iterator[Batch]:
    """Shuffled, four at a time, padded to the longest."""
    rng = np.random.default_rng(0)
    while True:
        order = rng.permutation(len(labels))
        for start in range(0, len(order) - PLAIN_BATCH + 1, PLAIN_BATCH):
            rows = order[start : start + PLAIN_BATCH]
            images = [features(int(row)) for row in rows]
            width = max(stride, *(image.shape[1] for image in images))
            batch = torch.zeros(PLAIN_BATCH, 1, images[0].shape[0], width)
            mask = torch.zeros(PLAIN_BATCH, width, dtype=torch.long)
            targets = torch.full((PLAIN_BATCH, max(len(labels[row]) for row in rows)), -100)
            for item, (row, image) in enumerate(zip(rows, images, strict=True)):
                batch[item, 0, :, : image.shape[1]] = torch.from_numpy(image)
                mask[item, : image.shape[1]] = 1
                targets[item, : len(labels[row])] = torch.from_numpy(labels[row])
            yield batch, mask, targets


def plain_ways(training: Training, data: str, split: str) -> list[Way]:
    staves: TrainingStaves = training.task.staves
    (entry,) = staves.sets
    assert entry.clean is not None
    clean, stride = entry.clean, training.task.built.config.width_stride
    kept = [np.asarray(clean[int(row)], np.float32) / 255 for row in entry.rows[:STAVES, 0]]
    wanted = {clean.ids[int(row)]: place for place, row in enumerate(entry.rows[:STAVES, 0])}
    pictures: dict[int, bytes] = {}
    for stave in read_staves(data, split=split):
        if stave.id in wanted:
            pictures[wanted[stave.id]] = stave.encoded
        if len(pictures) == len(wanted):
            break
    extract = training.task.built.extract["image"]
    sources: dict[str, Callable[[int], np.ndarray]] = {
        "plain loop, features at hand": kept.__getitem__,
        "plain loop, pictures read each time": lambda row: extract(pictures[row]),
    }
    labels = entry.labels[: len(kept)]
    built = training.task.built
    return [
        Way(name, plain_steps(type(built.model)(built.config), plain_batches(source, labels, stride)), False)
        for name, source in sources.items()
    ]


def report(recipe: str, data: str, split: str, rounds: int, threads: int, cache_dir: str) -> str:
    """Runs all and returns the committed result."""
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        changes = [
            *(f"train=[{{path: {data}, split: {split}}}]", "validation=[]", "transfer=null", "imitate=null"),
            *(f"output_dir={folder}", "num_workers=0", f"cache_dir={cache_dir}", "log_every=1000000"),
        ]
        training = Training(load_recipe(recipe, changes))
        torch.set_num_threads(threads)
        ours = Way(f"hfmusic.train, recipe {recipe}", our_steps(training), True)
        ways = [ours, *plain_ways(training, data, split)]
        size = training.config.batch_size
        for way in ways:
            way.run(size, timed=False)
        for _ in range(rounds):
            for way in ways:
                way.run(size)
            training.losses.clear()
    lines = [
        "# Training",
        "",
        f"`python -m benchmarks.train --recipe {recipe} --data {data} --split {split} --rounds {rounds} "
        f"--threads {threads}`:",
        f"{rounds} rounds of {size} staves a way in turn, Python {platform.python_version()}, "
        f"torch {torch.__version__}, {platform.machine()}, {datetime.now(UTC).date()}.",
        "Loading is included. Median (least to most) of the rounds.",
        "",
        "| way | staves/s | staves per CPU second | padding |",
        "|---|---|---|---|",
    ]
    for way in ways:
        padding = 100 * (1 - way.real / way.columns)
        lines.append(f"| {way.name} | {spread(way.rates)} | {spread(way.cpu_rates)} | {padding:.1f} % |")
    lines.append("")
    for way in ways[1:]:
        clock, cpu = ratio(ours.rates, way.rates), ratio(ours.cpu_rates, way.cpu_rates)
        lines.append(f"{clock:.2f}x the {way.name} ({cpu:.2f}x by CPU seconds).")
    return "\n".join(lines) + "\n"


def spread(rates: list[float]) -> str:
    return f"{np.median(rates):.1f} ({min(rates):.1f} to {max(rates):.1f})"


def ratio(ours: list[float], other: list[float]) -> float:
    """Median over rounds of the ratio of one round."""
    return float(np.median(np.array(ours) / np.array(other)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="crnn_omr")
    parser.add_argument("--data", default="dist/primus-omr")
    parser.add_argument("--split", default="train")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--cache-dir", default="cache/features")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    chosen = (arguments.recipe, arguments.data, arguments.split)
    text = report(*chosen, arguments.rounds, arguments.threads, arguments.cache_dir)
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
