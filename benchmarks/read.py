"""Milliseconds to read a staff, and memory: after loading, and at its peak.

    python -m benchmarks.read [--model crnn-omr] [--data dist/primus-omr] [--output benchmarks/read.md]

Four ways, each in a fresh process on one thread: `hfmusic evaluate`'s batches, `hfmusic.transcribe` stave by stave, the
same with paper 000's network and picture size (untrained: time does not depend on the weights), and one process a
file, as a shell loop does. `--model untrained` measures the recipe's network before there is a checkpoint. Times are
CPU seconds of the process, decoding of the PNG to tokens included.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hfmusic.data.staves import Stave, read_staves

MEMORY_WANTED = 1024  # MiB after loading


@dataclass(frozen=True)
class Measured:
    """CPU milliseconds a staff; memory in MiB: after loading, and at the peak (None: not measured)."""

    milliseconds: float
    loaded: float | None = None
    peak: float | None = None


def measure(way: Callable[[str, list[Stave]], Measured], model: str, staves: list[Stave]) -> Measured:
    """Run a way in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(way, (model, staves))


def one_by_one(model: str, staves: list[Stave]) -> Measured:
    from hfmusic.hub import load
    from hfmusic.models.image_reading import decode_picture
    from hfmusic.transcribe import transcribe

    loaded = load(model)
    memory = peak_mebibytes()
    transcribe(decode_picture(staves[0].encoded), loaded)
    start = time.process_time()
    for stave in staves:
        transcribe(decode_picture(stave.encoded), loaded)
    return Measured(1000 * (time.process_time() - start) / len(staves), memory, peak_mebibytes())


def in_batches(model: str, staves: list[Stave]) -> Measured:
    from hfmusic.evaluate import read_all
    from hfmusic.hub import load

    loaded = load(model)
    memory = peak_mebibytes()
    read_all(loaded, staves[:1], method="greedy", batch_size=16)
    start = time.process_time()
    read_all(loaded, staves, method="greedy", batch_size=16)
    return Measured(1000 * (time.process_time() - start) / len(staves), memory, peak_mebibytes())


def one_process_a_file(model: str, staves: list[Stave]) -> Measured:
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for number, stave in enumerate(staves):
            picture = Path(folder) / f"{number}.png"
            picture.write_bytes(stave.encoded)
            command = [sys.executable, "-m", "hfmusic", "transcribe", str(picture), "--model", model]
            subprocess.run([*command, "--format", "semantic", "-o", folder], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(1000 * spent / len(staves), None, after.ru_maxrss / 1024)


def peak_mebibytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def untrained(recipe: str, folder: Path) -> str:
    """A recipe's network with the weights it starts from, as a model folder."""
    import torch

    from hfmusic.models.processing_ctc import make_processor
    from hfmusic.training.config import load_recipe
    from hfmusic.training.export import build_model

    torch.manual_seed(0)
    config = load_recipe(recipe, ["factorised_head=false"])
    built = build_model(config)
    place = folder / recipe
    built.model.save_pretrained(place)  # type: ignore[operator]
    make_processor(built.tokens, **config.processor).save_pretrained(place)
    return str(place)


def report(model: str, data: str, split: str, n: int, files: int) -> str:
    """Runs all and returns the committed result."""
    staves = list(read_staves(data, split=split, n=n))
    with tempfile.TemporaryDirectory() as folder:
        place = untrained("crnn_omr", Path(folder)) if model == "untrained" else model
        paper = untrained("crnn_paper", Path(folder))
        rows = {
            "in batches of 16 (`hfmusic evaluate`)": measure(in_batches, place, staves),
            "one by one (`hfmusic.transcribe`)": measure(one_by_one, place, staves),
            "one by one, paper 000's network at 256 rows": measure(one_by_one, paper, staves),
            "one process a file": measure(one_process_a_file, place, staves[:files]),
        }
    first, *_ = rows.values()
    lines = [
        "# Reading",
        "",
        f"`python -m benchmarks.read --model {model} --data {data} --split {split} --n {n}`: {len(staves)} staves",
        f"({files} for one process a file), each way in a fresh process on one thread, Python "
        f"{platform.python_version()}, {platform.machine()}, {datetime.now(UTC).date()}.",
        "",
        "| way | CPU ms a staff | against the first | MiB after load | MiB at peak |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        loaded = "-" if row.loaded is None else f"{row.loaded:.0f}"
        ratio = row.milliseconds / first.milliseconds
        lines.append(f"| {name} | {row.milliseconds:.1f} | {ratio:.1f}x | {loaded} | {row.peak:.0f} |")
    assert first.loaded is not None
    verdict = "under" if first.loaded < MEMORY_WANTED else "over"
    lines += ["", f"Memory after load is {verdict} the {MEMORY_WANTED} MiB aimed at."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="crnn-omr", help='a model, or "untrained"')
    parser.add_argument("--data", default="dist/primus-omr")
    parser.add_argument("--split", default="test")
    parser.add_argument("--n", type=int, default=64)
    parser.add_argument("--files", type=int, default=3, help="staves read by one process each")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # before the processes that import torch start
    text = report(arguments.model, arguments.data, arguments.split, arguments.n, arguments.files)
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
