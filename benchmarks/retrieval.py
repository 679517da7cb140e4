"""An index of a million snippets: how long it takes to build and to search, its size, and its recall of exact search.

    python -m benchmarks.retrieval [--count 1000000] [--vectors real.npy] [--threads 2] [--output FILE.md]

The vectors are those of `--vectors` (float (n, d), unit length), repeated with noise until there are enough; or
synthetic ones: each of the pieces a walk around a point of its own, as neighbouring snippets are alike. A query is 40
excerpts of one piece (20 seconds), each turned away from the vector of its snippet to a cosine of 0.7. The ranking is
that of `hfmusic find`: votes, lines, and the likeliest compared whole. Networks are not timed here.
By the clock and by CPU seconds of the process, which other work on the machine disturbs less.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import faiss
import numpy as np

from hfmusic.retrieval.identify import Matches, identify
from hfmusic.retrieval.index import PLACE, NewPiece, Piece, SnippetIndex, change_index
from hfmusic.retrieval.likeness import Likeness
from hfmusic.retrieval.neighbours import QUERY_COSINE, exact, noisy, recall

SNIPPETS = 500  # of a piece
EXCERPTS = 40  # of a query
K = 25
WANTED_MS, WANTED_RECALL = 200, 0.99


class Spent(NamedTuple):
    """Seconds by the clock, and of the CPU."""

    wall: float
    cpu: float


def timed(work: Callable[[], Any]) -> tuple[Any, Spent]:
    wall, cpu = time.perf_counter(), time.process_time()
    result = work()
    return result, Spent(time.perf_counter() - wall, time.process_time() - cpu)


def units(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def walks(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Snippets of pieces: (count, size). Neighbours have a cosine of about 0.95, pieces share much of their space."""
    pieces = -(-count // SNIPPETS)
    scales = (1 + np.arange(size)) ** -0.4  # embeddings fill some directions more than others
    found = np.empty((pieces * SNIPPETS, size), np.float32)
    for piece in range(pieces):
        steps = rng.standard_normal((SNIPPETS, size)) * 0.3
        walk = np.empty_like(steps)
        place = rng.standard_normal(size) * 0.5
        for row, step in enumerate(steps):
            place = 0.95 * place + step
            walk[row] = place
        found[piece * SNIPPETS : (piece + 1) * SNIPPETS] = units(walk * scales)
    return found[:count]


def repeated(real: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Real vectors, and copies of them turned to a cosine of 0.8."""
    real = units(real)
    copies = -(-count // len(real)) - 1
    return np.concatenate([real, *(noisy(real, rng, 0.8) for _ in range(copies))])[:count]


def pieces_of(vectors: np.ndarray) -> list[NewPiece]:
    pieces = []
    for first in range(0, len(vectors), SNIPPETS):
        own = vectors[first : first + SNIPPETS]
        places = np.zeros(len(own), PLACE)
        places["quarter"] = np.arange(len(own)) / 2
        pieces.append(NewPiece(Piece(f"piece {first // SNIPPETS}"), own, places))
    return pieces


def queries_of(vectors: np.ndarray, count: int, rng: np.random.Generator) -> tuple[list[np.ndarray], list[int]]:
    """Excerpts of parts of drawn pieces, and which pieces."""
    drawn = rng.integers(0, len(vectors) // SNIPPETS, count)
    starts = drawn * SNIPPETS + rng.integers(0, SNIPPETS - EXCERPTS, count)
    return [noisy(vectors[start : start + EXCERPTS], rng) for start in starts], drawn.tolist()


def measure(vectors: np.ndarray, folder: Path, queries: int, rng: np.random.Generator) -> list[str]:
    """Rows of the table and what is below it."""
    index, built = timed(lambda: change_index(folder, pieces_of(vectors), model="synthetic", fingerprint="-"))
    index, opened = timed(lambda: SnippetIndex.open(folder))
    asked, pieces = queries_of(vectors, queries, rng)
    index.search(asked[0], K)  # reads what is read once
    seconds = np.arange(EXCERPTS) * 0.5
    plain = np.asarray(index.vectors, np.float32)
    times: dict[str, list[Spent]] = {"brute force": [], "index": [], "index, and the whole ranking": []}
    found, right = [], 0
    for one, piece in zip(asked, pieces, strict=True):
        wanted, spent = timed(lambda one=one: exact(plain, one, K)[1])
        times["brute force"].append(spent)
        (similarities, rows), spent = timed(lambda one=one: index.search(one, K))
        times["index"].append(spent)
        likeness = Likeness(one, seconds, index.vectors, index.places)
        ranked, voted = timed(
            lambda near=(similarities, rows), like=likeness: identify(
                Matches.of(seconds, *near, index.places), likeness=like
            )
        )
        times["index, and the whole ranking"].append(Spent(spent.wall + voted.wall, spent.cpu + voted.cpu))
        found.append(recall(rows, wanted))
        right += ranked[0].piece == piece
    return table(index, built, opened, times, found, right)


def table(
    index: SnippetIndex, built: Spent, opened: Spent, times: dict[str, list[Spent]], found: list[float], right: int
) -> list[str]:
    lines = [
        "| search | ms of 40 excerpts, median (least) | CPU ms, median (least) | recall of 25 |",
        "|---|---:|---:|---:|",
    ]
    for name, spent in times.items():
        cells = [f"{1000 * statistics.median(of):.0f} ({1000 * min(of):.0f})" for of in zip(*spent, strict=True)]
        lines.append(
            f"| {name} | {' | '.join(cells)} | {1.0 if name == 'brute force' else statistics.mean(found):.4f} |"
        )
    cells = index.inverted.cells if index.inverted else 0
    inside = sum(path.stat().st_size for path in index.folder.iterdir())
    vectors, megabytes = index.vectors.nbytes / 1e6, inside / 1e6
    usual = 1000 * statistics.median(spent.wall for spent in times["index, and the whole ranking"])
    reached = statistics.mean(found) >= WANTED_RECALL and usual <= WANTED_MS
    return [
        *lines,
        "",
        f"{len(index)} snippets of {len(index.pieces)} pieces, {index.vectors.shape[1]} numbers each. Built in "
        f"{built.wall:.0f} s ({built.cpu:.0f} s of CPU) with what chooses the number of cells ({cells}), opened in "
        f"{opened.wall:.1f} s ({opened.cpu:.1f} s). {megabytes:.0f} MB on disk, {vectors:.0f} MB of them vectors.",
        f"The right piece is first for {right} of {len(found)} queries. At most {WANTED_MS} ms and a recall of at "
        f"least {WANTED_RECALL} are aimed at: {'reached' if reached else 'not reached'} (median, by the clock).",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("benchmarks/retrieval.md"))
    options = parser.parse_args()
    faiss.omp_set_num_threads(options.threads)
    rng = np.random.default_rng(options.seed)
    if options.vectors is None:
        vectors, kind = walks(options.count, options.size, rng), "synthetic vectors (walks)"
    else:
        real = np.load(options.vectors, allow_pickle=False)
        vectors = repeated(real, options.count, rng)
        kind = f"{len(real)} vectors of real snippets, repeated with noise"
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(vectors, Path(folder) / "i.index", options.queries, rng)
    given = "" if options.vectors is None else " --vectors VECTORS.npy"
    command = f"python -m benchmarks.retrieval --count {options.count}{given} --queries {options.queries}"
    about = [
        f"`{command} --threads {options.threads} --seed {options.seed}`: {kind}, queries of cosine {QUERY_COSINE},",
        f"Python {platform.python_version()}, FAISS {faiss.__version__}, {platform.machine()}, "
        f"{datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores with {os.getloadavg()[0]:.1f} processes on them.",
    ]
    text = "\n".join(["# An index of a million snippets", "", *about, "", *rows, ""])
    options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
