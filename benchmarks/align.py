"""How well a score is followed: plain warping as in paper 003, by chroma, and by both.

    python -m benchmarks.align dist/sheet-audio --font FONT [--split test] [--n 20] [--seconds 30] \
        [--model audio-sheet-embedding] [--output benchmarks/align.md]

Pieces of a built `sheet_audio`, evenly spread over a split, are played again by a font, at a tempo that comes and
goes: its logarithm is drawn every four seconds (standard deviation 0.15) and changes evenly between. The score is at
the one tempo that it is written at. Each piece is followed whole and, of its middle, for some seconds, with the whole
score given. Errors are those of every onset that is played; an onset that is left out is taken to be where the nearest
is; a piece is lost whose median is over half a second.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm.auto import tqdm

import hfmusic
from hfmusic.align import Method, align
from hfmusic.data.sheets import Sheet
from hfmusic.embed_pairs import spread_renditions
from hfmusic.embedding import Embedder, embedder
from hfmusic.render.play_sheet import play_sheet
from hfmusic.render.synthesize import Synthesizer
from hfmusic.retrieval.score_time import ScoreTime

RATE = 22050
TITLES: dict[Method, str] = {
    "plain": "plain warping of pictures (paper 003)",
    "chroma": "chroma",
    "better": "better: chroma and pictures",
}


class Played(NamedTuple):
    """Samples, and when in them each onset of a score is, by its quarter."""

    sound: np.ndarray
    quarters: np.ndarray
    seconds: np.ndarray


def bent(sheet: Sheet, rng: np.random.Generator) -> Sheet:
    """A sheet whose tempo comes and goes."""
    end = max(note.offset_seconds for note in sheet.notes)
    grid = np.arange(0, end + 1, 0.05)
    knots = np.arange(0, end + 5, 4.0)
    pace = np.exp(np.interp(grid, knots, rng.normal(0, 0.15, len(knots))))
    passed = np.concatenate([[0], np.cumsum(pace[:-1] * 0.05)])
    notes = [
        note._replace(
            onset_seconds=float(np.interp(note.onset_seconds, grid, passed)),
            offset_seconds=float(np.interp(note.offset_seconds, grid, passed)),
        )
        for note in sheet.notes
    ]
    return Sheet(sheet.pages, sheet.systems, tuple(notes))


def performed(sheet: Sheet, synthesizer: Synthesizer, seed: int, seconds: float | None) -> Played:
    """A performance, or so many seconds of its middle."""
    played = bent(sheet, np.random.default_rng([seed, len(sheet.notes)]))
    sound, onsets = play_sheet(played, synthesizer), ScoreTime(played)
    begin = max(0.0, (onsets.end_seconds - seconds) / 2) if seconds else 0.0
    end = begin + seconds if seconds else np.inf
    inside = (onsets.seconds >= begin) & (onsets.seconds < end)
    part = sound[round(begin * RATE) : round(min(end, len(sound) / RATE) * RATE)]
    return Played(part, onsets.quarters[inside], onsets.seconds[inside] - begin)


def errors(played: Played, sheet: Sheet, method: Method, model: Embedder | None) -> tuple[np.ndarray, float]:
    """Seconds, of each onset, and the fit; where nothing is followed, all of the recording's, and 0."""
    try:
        found = align(played.sound, sheet, method=method, model=None if method == "chroma" else model)
    except ValueError:
        return np.full(len(played.seconds), len(played.sound) / RATE), 0.0
    quarters, seconds = [row.quarter for row in found.rows], [row.audio_seconds for row in found.rows]
    return np.abs(np.interp(played.quarters, quarters, seconds) - played.seconds), found.fit


def table(options: argparse.Namespace) -> list[str]:
    model = embedder(options.model)
    _, chosen = spread_renditions(options.data, options.split, options.n)
    sheets = [one.sheet.at_tempo(1 / one.tempo_factor) for one in chosen]
    lines = [
        "| recording | followed by | onsets | median | 95 % are within | share within 0.1 s | pieces lost | least fit "
        "| time (chroma = 1) |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, seconds in (("whole pieces", None), (f"{options.seconds:g} s of the middle", options.seconds)):
        with Synthesizer(options.font) as synthesizer:
            recordings = [performed(sheet, synthesizer, options.seed, seconds) for sheet in sheets]
        taken: dict[str, float] = {}
        for method in ("chroma", "plain", "better"):
            begun, found = time.perf_counter(), []
            for played, sheet in zip(tqdm(recordings, desc=f"{name}, {method}", unit="piece"), sheets, strict=True):
                found.append(errors(played, sheet, method, model))
            taken[method] = time.perf_counter() - begun
            every = np.concatenate([one for one, _ in found])
            lost, fit = sum(float(np.median(one)) > 0.5 for one, _ in found), min(fit for _, fit in found)
            cells = [name, TITLES[method], len(every), f"{np.median(every):.3f} s", f"{np.quantile(every, 0.95):.2f} s"]
            cells += [f"{100 * np.mean(every < 0.1):.1f} %", f"{lost} of {len(found)}", f"{fit:.2f}"]
            lines.append(f"| {' | '.join(map(str, cells))} | {taken[method] / taken['chroma']:.1f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--font", required=True)
    parser.add_argument("--split", default="test")
    parser.add_argument("--n", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--model", default="audio-sheet-embedding")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/align.md"))
    options = parser.parse_args()
    command = f"python -m benchmarks.align {options.data} --font {Path(options.font).name} --split {options.split} "
    command += f"--n {options.n} --seconds {options.seconds:g} --model {options.model} --seed {options.seed}"
    lines = [
        "# Following a score",
        "",
        f"`{command}`; {datetime.now(UTC):%Y-%m-%d}, hfmusic {hfmusic.__version__}.",
        "Pieces played at a tempo that comes and goes, with their scores at one tempo; errors of every onset.",
        "",
        *table(options),
        "",
    ]
    options.output.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
