"""Constant-Q features against librosa: speed, and how equal they are.

    python -m benchmarks.audio_features [--sounds 32] [--rounds 6] [--device cuda] [--output FILE]

Both front ends, paper 000's and the recommended one, on RISM incipits played by the shipped piano. All ways take turns
in one process on one thread, after librosa has compiled, so that a busy machine slows all alike. Speed is seconds of
sound per CPU second, the median of the rounds; batches are of 16 sounds padded to the longest, whose padding is not
counted. With `--device`, the module here also runs there, in batches, timed by the clock.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch

from hfmusic.data.corpora import rism_tunes
from hfmusic.models.audio_features import ConstantQ
from hfmusic.models.feature_extraction_music import MusicFeatureExtractor
from hfmusic.render.synthesize import Synthesizer, shipped_font
from hfmusic.symbolic.midi import write_midi

RATE, BATCH = 22050, 16
FRONT_ENDS: dict[str, dict[str, Any]] = {
    "paper 000": {"fmin": 32.70319566257483, "n_bins": 120, "bins_per_octave": 24, "gamma": 0.0},
    "recommended": {"fmin": 51.91, "n_bins": 96, "bins_per_octave": 18, "gamma": 4.0},
}


@dataclass
class Way:
    """`run` works through all sounds; `clock` measures it."""

    run: Callable[[], object]
    clock: Callable[[], float] = time.process_time
    rates: list[float] = field(default_factory=list)

    def measure(self, seconds: float) -> None:
        start = self.clock()
        self.run()
        self.rates.append(seconds / (self.clock() - start))


def rendered(count: int) -> list[np.ndarray]:
    """The first RISM incipits, played."""
    with Synthesizer(shipped_font()) as synthesizer:
        return [synthesizer.play(write_midi(tune.score)) for tune in itertools.islice(rism_tunes(), count)]


def batches(sounds: list[np.ndarray]) -> list[np.ndarray]:
    """(up to BATCH, longest) each, of sounds sorted by length."""
    ordered = sorted(sounds, key=len)
    groups = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    return [np.stack([np.pad(sound, (0, len(group[-1]) - len(sound))) for sound in group]) for group in groups]


def ways(options: dict[str, Any], sounds: list[np.ndarray], device: str | None) -> dict[str, Way]:
    """The ways of one front end, in the order of the table."""
    front = ConstantQ(**options)
    extractor = MusicFeatureExtractor(**options, height=options["n_bins"])
    groups = batches(sounds)

    def theirs(sound: np.ndarray) -> np.ndarray:
        return np.abs(librosa.vqt(sound, sr=RATE, hop_length=512, **options))

    def their_values(sound: np.ndarray) -> np.ndarray:
        return np.flip((80 + librosa.amplitude_to_db(theirs(sound), ref=np.max)) / 80, axis=0)

    def on_device() -> None:
        for group in groups:
            front(torch.from_numpy(group).to(device)).cpu()

    found = {
        "magnitudes, one by one: librosa": Way(lambda: [theirs(sound) for sound in sounds]),
        "magnitudes, one by one: here": Way(lambda: [front(torch.from_numpy(sound)[None]) for sound in sounds]),
        "magnitudes, batches: librosa": Way(lambda: [theirs(group) for group in groups]),
        "magnitudes, batches: here": Way(lambda: [front(torch.from_numpy(group)) for group in groups]),
        "values in 0..1, one by one: librosa": Way(lambda: [their_values(sound) for sound in sounds]),
        "values in 0..1, one by one: here": Way(lambda: [extractor.features(sound) for sound in sounds]),
    }
    if device:
        found[f"magnitudes, batches: here on {device}"] = Way(on_device, time.perf_counter)
    return found


def speed_rows(sounds: list[np.ndarray], rounds: int, device: str | None) -> list[str]:
    """Table rows: way, speed, times librosa's."""
    seconds = sum(map(len, sounds)) / RATE
    tables = {name: ways(options, sounds, device) for name, options in FRONT_ENDS.items()}
    everything = [way for table in tables.values() for way in table.values()]
    for way in everything:
        way.run()  # librosa compiles, kernels are made
    for _ in range(rounds):
        for way in everything:
            way.measure(seconds)
    lines = []
    for name, table in tables.items():
        speeds = {label: float(np.median(way.rates)) for label, way in table.items()}
        for label, speed in speeds.items():
            base = speeds.get(label.split(":")[0] + ": librosa", speed)
            spread = f"{min(table[label].rates):.0f} to {max(table[label].rates):.0f}"
            lines.append(f"| {name} | {label} | {speed:.0f} ({spread}) | {speed / base:.1f}x |")
    return lines


def difference(sound: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """|here - librosa| of each value, decibels over 80 below the maximum taken as 0..1."""
    ours = ConstantQ(**options)(torch.from_numpy(sound)[None])[0].numpy()
    theirs = np.abs(librosa.vqt(sound, sr=RATE, hop_length=512, **options))
    values = [(80 + librosa.amplitude_to_db(each, ref=np.max, amin=1e-9)) / 80 for each in (ours, theirs)]
    return np.abs(values[0] - values[1]).ravel()


def parity_rows(sounds: list[np.ndarray]) -> list[str]:
    """Table rows: front end, sound, mean, 99.9th percentile, maximum."""
    noise = 0.1 * np.random.default_rng(0).standard_normal(30 * RATE).astype(np.float32)
    sweep = 0.5 * librosa.chirp(fmin=30, fmax=9000, sr=RATE, duration=30).astype(np.float32)
    lines = []
    for name, options in FRONT_ENDS.items():
        for label, given in {"incipits": sounds, "white noise": [noise], "sweep 30 to 9,000 Hz": [sweep]}.items():
            found = np.concatenate([difference(sound, options) for sound in given])
            numbers = f"{found.mean():.5f} | {np.quantile(found, 0.999):.4f} | {found.max():.4f}"
            lines.append(f"| {name} | {label} | {numbers} |")
    return lines


def report(count: int, rounds: int, device: str | None) -> str:
    """Runs all and returns the committed result."""
    torch.set_num_threads(1)
    sounds = rendered(count)
    where = f" --device {device}" if device else ""
    lines = [
        "# Audio features",
        "",
        f"`python -m benchmarks.audio_features --sounds {count} --rounds {rounds}{where}`: {len(sounds)} incipits of",
        f"{sum(map(len, sounds)) / RATE / len(sounds):.1f} s on average, one thread, {datetime.now(UTC).date()},",
        f"Python {platform.python_version()}, librosa {version('librosa')}, torch {torch.__version__}, "
        f"{platform.machine()}.",
        "",
        "| front end | way | seconds of sound per CPU second (least to most) | against librosa |",
        "|---|---|---:|---:|",
        *speed_rows(sounds, rounds, device),
        "",
        "Difference of the values (decibels over 80 below the maximum, as 0..1) from librosa's:",
        "",
        "| front end | sound | mean | 99.9th percentile | maximum |",
        "|---|---|---:|---:|---:|",
        *parity_rows(sounds),
        "",
        "Wanted: mean under 0.005, 99.9th percentile under 0.05. The largest differences are single values near 0.",
    ]
    if not device:
        lines.append("The path for accelerators is the same code; it was not measured here.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sounds", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--device", help="also measure the module here on this torch device")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    text = report(arguments.sounds, arguments.rounds, arguments.device)
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
