"""Staves found on pages of known music, and the error rate of the text read, whatever was done to the pages.

    python -m benchmarks.pages [--pages 20] [--model r2crnn-omr-semantic] [--output benchmarks/pages.md]

A page is RISM incipits of the validation and test splits in one clef and key, one after another with their meters,
engraved on A4 in a style drawn by chance; then scanned at a resolution, turned, or photographed
(`hfmusic.testing.pages`). A staff is found where the middle line of what was found runs within one true staff, and
false where it does not, or where another was found before. Symbol error rates are edits per symbol of the true text;
lines are joined by `hfmusic.reading.join`.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from hfmusic.data.corpora import rism_tunes
from hfmusic.data.splits import split_of
from hfmusic.hub import Loaded, load
from hfmusic.metrics.sequence import edit_distance
from hfmusic.reading.look import look
from hfmusic.render.engrave import EngravingStyle
from hfmusic.symbolic.score import NotationError, Score
from hfmusic.symbolic.semantic import write_semantic
from hfmusic.testing.pages import curled, engrave_page, joined, photographed, staff_bands, turned
from hfmusic.transcribe import reader_of

TUNES_A_PAGE = 6
CLEAR = 300  # dpi at which every line of an engraving is dark
Damage = Callable[[np.ndarray, int, bool], np.ndarray]  # a page, its number, whether it is bands of its staves


def _turned(degrees: float) -> Damage:
    return lambda page, number, bands: turned(page, degrees)


def _photographed(page: np.ndarray, number: int, bands: bool) -> np.ndarray:
    return (curled if bands else photographed)(page, np.random.default_rng(number))


CONDITIONS: dict[str, tuple[int, Damage]] = {
    **{f"{dpi} dpi": (dpi, _turned(0)) for dpi in (100, 150, 300, 600)},
    **{f"150 dpi, turned by {degrees}°": (150, _turned(degrees)) for degrees in (-5, -2, 1, 5)},
    "100 dpi, turned by 3°": (100, _turned(3)),
    "300 dpi, turned by -3°": (300, _turned(-3)),
    "150 dpi, photographed": (150, _photographed),
    "300 dpi, photographed": (300, _photographed),
}


@dataclass
class Measured:
    staves: int = 0
    found: int = 0
    false: int = 0
    symbols: int = 0
    edits: int = 0
    refused: int = 0
    seconds: list[float] = field(default_factory=list)


def melodies(count: int) -> list[Score]:
    """Melodies of several lines: incipits that no model was trained on, of one clef and key, joined."""
    alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
    made: list[Score] = []
    for tune in rism_tunes():
        if split_of(tune.work) == "train":
            continue
        try:
            tokens = write_semantic(tune.score)
        except NotationError:
            continue
        signs = tuple(token for token in tokens if token.startswith(("clef", "keySignature")))
        if len(signs) > 2 or not tokens[0].startswith("clef"):  # none that change within
            continue
        alike[signs].append(" ".join(tokens))
        if len(alike[signs]) == TUNES_A_PAGE:
            made.append(joined(alike.pop(signs)))
        if len(made) == count:
            break
    return made


def measure(score: Score, number: int, dpi: int, damage: Damage, model: Loaded, row: Measured) -> None:
    """Adds what is found and read on one page to a row."""
    style = EngravingStyle.sample(np.random.default_rng(number))
    page = engrave_page(score, dpi=dpi, style=style)[0]
    bands, count = staff_bands(page if dpi == CLEAR else engrave_page(score, dpi=CLEAR, style=style)[0])
    bands = cv2.resize(bands, page.shape[::-1], interpolation=cv2.INTER_NEAREST)
    picture, bands = damage(page, number, False), damage(bands, number, True)
    truth = write_semantic(score)
    row.staves += count
    row.symbols += len(truth)
    start = time.process_time()
    try:
        seen = look([picture], reader_of(model))
    except ValueError as error:
        print(f"page {number}: {error}")
        row.refused += 1
        row.edits += len(truth)
        return
    row.seconds.append(time.process_time() - start)
    places = [_band_of(bands, staff.place.columns, staff.place.rows) for staff in seen.staves]
    true = {place for place in places if place is not None}
    row.found += len(true)
    row.false += len(places) - len(true)
    row.edits += edit_distance([one.token for one in seen.symbols], truth)


def _band_of(bands: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> int | None:
    """The true staff that a line runs within: its number, from 1."""
    inside = slice(len(columns) // 8, -(len(columns) // 8) or None)
    x = np.clip(np.round(columns[inside]).astype(int), 0, bands.shape[1] - 1)
    y = np.clip(np.round(rows[inside]).astype(int), 0, bands.shape[0] - 1)
    levels = (255 - bands[y, x].astype(float)) / 6
    number = round(float(np.median(levels)))
    return number if number > 0 and float((np.abs(levels - number) < 0.45).mean()) > 0.8 else None


def report(rows: dict[str, Measured], pages: int, model: str) -> str:
    lines = [
        "# Pages",
        "",
        f"`python -m benchmarks.pages --pages {pages} --model {model}`: {pages} pages of RISM incipits, none trained",
        f"on, Python {platform.python_version()}, {platform.machine()}, {datetime.now(UTC).date()}. Seconds are of the "
        "processor, a page, finding and",
        "reading; the symbol error rate is of the whole page's text.",
        "",
        "| pages | staves | found | false | symbol error rate | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        seconds = float(np.mean(row.seconds)) if row.seconds else 0.0
        found, error = 100 * row.found / row.staves, 100 * row.edits / row.symbols
        lines.append(f"| {name} | {row.staves} | {found:.1f} % | {row.false} | {error:.2f} % | {seconds:.1f} |")
    refused = sum(row.refused for row in rows.values())
    lines += ["", f"{refused} of {pages * len(rows)} pages were refused; their symbols count as errors."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="r2crnn-omr-semantic")
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--only", default="", help="only conditions with this in their name")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    model, scores = load(arguments.model), melodies(arguments.pages)
    rows: dict[str, Measured] = {}
    for name, (dpi, damage) in CONDITIONS.items():
        if arguments.only not in name:
            continue
        rows[name] = Measured()
        for number, score in enumerate(scores):
            measure(score, number, dpi, damage, model, rows[name])
        print(report({name: rows[name]}, len(scores), arguments.model).splitlines()[-3], flush=True)
    text = report(rows, len(scores), arguments.model)
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
