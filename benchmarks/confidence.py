"""How sure `hfmusic find` may be, and how well `hfmusic align` fits: right answers against recordings of nothing known.

    python -m benchmarks.confidence --index my.index --scores scores --others more_scores --fonts FONT,FONT \
        [--output benchmarks/confidence.md]

Right: parts of scores of the index, played at 0.9 to 1.1 of their tempo. Wrong: parts of scores that are not in it,
noise, and babble (pulses of a wandering pitch through two moving resonances, in syllables). Prints the fields of
`hfmusic.retrieval.identify.Confidence`, which a model's config may hold as `confidence`; half of the examples fit it,
the others measure it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from hfmusic.data.score_notes import score_notes
from hfmusic.embedding import embedder
from hfmusic.render.synthesize import Synthesizer
from hfmusic.retrieval import chroma
from hfmusic.retrieval.identify import evidence, fit_confidence
from hfmusic.retrieval.index import SnippetIndex
from hfmusic.retrieval.multiscale import chance_cost, warp_multiscale
from hfmusic.retrieve import find

RATE = 22050
Example = tuple[str, str, np.ndarray]  # kind, the piece's name ("" for none), sound
Notes = list[tuple[float, float, int]]


def notes_of(path: Path) -> Notes:
    return [(note.onset_seconds, note.offset_seconds, note.pitch_midi) for note in score_notes(path.read_bytes())]


def part(notes: Notes, seconds: float, rng: np.random.Generator) -> list[tuple[float, float, int, int]]:
    """Some seconds of a piece, at another tempo, each note as loud as it likes."""
    tempo = rng.uniform(0.9, 1.1)
    end = max(note[1] for note in notes) / tempo
    start = rng.uniform(0, max(0.0, end - seconds))
    inside = [(a / tempo - start, min(b / tempo - start, seconds), p) for a, b, p in notes]
    return [(a, max(b, a), p, int(rng.integers(50, 100))) for a, b, p in inside if 0 <= a < seconds]


def babble(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """What is like speech without words."""
    from scipy.signal import lfilter

    count = round(seconds * RATE)
    steps = np.linspace(0, seconds, round(seconds * 5) + 2)
    pitch = np.interp(np.arange(count) / RATE, steps, rng.uniform(90, 220, len(steps)))
    pulses = (np.diff(np.floor(np.cumsum(pitch / RATE)), prepend=0) > 0).astype(np.float64)
    sound = np.zeros(count)
    for low, high in ((300, 800), (900, 2400)):
        for first in range(0, count, RATE // 6):
            hertz, some = rng.uniform(low, high), slice(first, first + RATE // 6)
            poles = [1, -2 * 0.97 * np.cos(2 * np.pi * hertz / RATE), 0.97**2]
            sound[some] += lfilter([1], poles, pulses[some] + rng.normal(0, 0.02, len(pulses[some])))
    syllables = np.interp(np.arange(count) / RATE, steps, rng.uniform(0, 1, len(steps)) ** 2)
    return (0.1 * sound * syllables / np.abs(sound).max()).astype(np.float32)


def examples(options: argparse.Namespace, rng: np.random.Generator) -> Iterator[Example]:
    """All of one font before the next: a font is loaded once."""
    pools = {
        "in the index": sorted(options.scores.glob("*.mxl")),
        "of another piece": sorted(options.others.glob("*.mxl")),
    }
    known = {path: notes_of(path) for paths in pools.values() for path in paths}
    for font in options.fonts.split(","):
        with Synthesizer(font) as synthesizer:
            for kind, paths in pools.items():
                for path in paths:
                    sound = synthesizer.play_notes(part(known[path], options.seconds, rng))
                    yield kind, path.name if kind == "in the index" else "", sound
    for _ in range(len(pools["of another piece"])):
        yield "babble", "", babble(options.seconds, rng)
        yield "noise", "", rng.normal(0, 0.1, round(options.seconds * RATE)).astype(np.float32)


def confidence(options: argparse.Namespace) -> list[str]:
    rng = np.random.default_rng(options.seed)
    index = SnippetIndex.open(options.index)
    own = embedder(index.model)
    rows, right, kinds = [], [], []
    for kind, name, sound in examples(options, rng):
        found = find(sound, index, model=own)
        rows.append(evidence([one.candidate for one in found.pieces]))
        right.append(bool(name) and found.pieces[0].piece.name == name)
        kinds.append(kind)
    order = rng.permutation(len(rows)).tolist()
    fitting, measuring = order[::2], order[1::2]
    fitted = fit_confidence([rows[n] for n in fitting], [right[n] for n in fitting])
    told = np.array([fitted.of(row) for row in rows])
    lines = [
        f"`{asdict(fitted)}`",
        "",
        "| recording | n | first is right | sure | share in line |",
        "|---|---:|---:|---:|---:|",
    ]
    for kind in dict.fromkeys(kinds):
        own_rows = [n for n in measuring if kinds[n] == kind]
        sure = sum(told[n] >= fitted.sure_from for n in own_rows)
        good, line = sum(right[n] for n in own_rows), np.mean([rows[n]["aligned"] for n in own_rows] or [0.0])
        lines.append(f"| {kind} | {len(own_rows)} | {good} | {sure} | {line:.2f} |")
    return lines


def fits(options: argparse.Namespace) -> list[str]:
    """Of whole pieces with their own scores, and with those of others."""
    rng = np.random.default_rng(options.seed)
    paths = sorted(options.scores.glob("*.mxl"))[: options.aligned]
    pieces = [notes_of(path) for path in paths]
    written = [chroma.features(chroma.note_energies(notes)) for notes in pieces]
    same, other = [], []
    with Synthesizer(options.fonts.split(",")[-1]) as synthesizer:
        for number, notes in enumerate(pieces):
            heard = chroma.features(chroma.sound_energies(synthesizer.play_notes(part(notes, 60.0, rng))))
            for place, fit_to in ((same, written[number]), (other, written[number - 1])):
                path = warp_multiscale(heard, fit_to, shrink=chroma.shrink, skip=0.5)
                place.append(1 - path.mean / chance_cost(heard, fit_to))
    return [
        f"Fit of {len(same)} recordings of a minute to their own scores: {min(same):.2f} to {max(same):.2f}; "
        f"to others': {min(other):.2f} to {max(other):.2f}."
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--index", type=Path, required=True)
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--others", type=Path, required=True)
    parser.add_argument("--fonts", required=True)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--aligned", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/confidence.md"))
    options = parser.parse_args()
    index = SnippetIndex.open(options.index)
    about = f"{len(index.pieces)} pieces, {len(index)} snippets, model {index.model}, parts of {options.seconds:g} s"
    fonts = ",".join(Path(font).name for font in options.fonts.split(","))
    command = f"`python -m benchmarks.confidence --index my.index --scores SCORES --others OTHERS --fonts {fonts}`:"
    lines = [
        "# How sure a piece is found",
        "",
        command,
        f"{about}, seed {options.seed}, {datetime.now(UTC):%Y-%m-%d}",
        "",
    ]
    lines += [*confidence(options), "", *fits(options), ""]
    options.output.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
