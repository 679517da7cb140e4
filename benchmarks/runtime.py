"""Milliseconds of a staff, part by part, and its network run in several ways.

    python -m benchmarks.runtime [--model r2crnn-omr-semantic] [--data dist/primus-rism] [--n 32]
        [--output benchmarks/runtime.md]

Everything is timed after loading: decoding the picture, finding the staff, the network, decoding its logits. For each
staff all ways of running the network take turns, in another order each round, so that a busy machine slows all alike; a
way's ratio is the median of its ratios to plain torch of the same staff and round. By the clock, and by CPU seconds of
the process, which other work on the machine disturbs less. The least of the rounds is what comes nearest to a machine
that has nothing else to do.
"""

from __future__ import annotations

import argparse
import copy
import os
import platform
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import onnxruntime
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from hfmusic.data.staves import Stave, read_staves
from hfmusic.export import export
from hfmusic.hub import Loaded, load
from hfmusic.models.image_reading import decode_picture, grey_pixels
from hfmusic.runtime import OnnxCTC

PLAIN = "plain torch"
WANTED = {1: 150.0, 2: 40.0}  # milliseconds of a staff on a machine with nothing else to do, by threads

Clocks = tuple[float, float]  # milliseconds: by the clock, and of the CPU
Ways = dict[str, Callable[..., Any]]


def timed(clocks: list[Clocks], work: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What `work` gives; how long it took is added to `clocks`."""
    begun, spent = time.perf_counter(), time.process_time()
    result = work(*arguments, **named)
    clocks.append((1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - spent)))
    return result


def fused(model: nn.Module) -> nn.Module:
    """A copy whose batch norms are part of the convolutions before them, where one follows one."""
    model = copy.deepcopy(model)
    for module in model.modules():
        if isinstance(getattr(module, "conv", None), nn.Conv2d) and isinstance(
            getattr(module, "norm", None), nn.BatchNorm2d
        ):
            module.conv = fuse_conv_bn_eval(module.conv, module.norm)
            module.norm = nn.Identity()
    return model


def in_bfloat16(model: nn.Module) -> Callable[..., Any]:
    def run(**inputs: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return model(**inputs)

    return run


def ways(plain: Loaded, exported: Path, threads: int) -> Ways:
    network = OnnxCTC(plain.model.config, {"image": exported}, threads=threads)
    made: Ways = {
        PLAIN: plain.model,
        "torch, batch norm fused": fused(plain.model),  # type: ignore[arg-type]
        "torch, bfloat16": in_bfloat16(plain.model),  # type: ignore[arg-type]
        "ONNX Runtime": network,
    }
    return made


class Comparison:
    """Times of the parts of a staff, and of the network's ways, on a number of threads."""

    def __init__(self, loaded: Loaded, network: Path, threads: int) -> None:
        self.threads, self.processor = threads, loaded.processor
        self.ways = ways(loaded, network, threads)
        self.parts: dict[str, list[Clocks]] = defaultdict(list)
        self.network: dict[str, list[Clocks]] = defaultdict(list)
        self.same: dict[str, int] = defaultdict(int)
        self.difference: dict[str, float] = defaultdict(float)
        self.readings = 0

    def read(self, stave: Stave, order: random.Random, *, keep: bool = True) -> None:
        """One staff, by all ways."""
        parts: dict[str, list[Clocks]] = defaultdict(list)
        pixels = timed(parts["picture decoded"], lambda: grey_pixels(decode_picture(stave.encoded)))
        inputs = timed(parts["staff found, features"], self.processor, images=pixels, return_tensors="pt")
        names = list(self.ways)
        order.shuffle(names)
        times: dict[str, list[Clocks]] = {name: [] for name in names}
        with torch.inference_mode():
            outputs = {name: timed(times[name], self.ways[name], **inputs) for name in names}
        readings = {name: self.processor.decode(output, inputs, method="greedy")[0] for name, output in outputs.items()}
        timed(parts["symbols decoded (greedy)"], self.processor.decode, outputs[PLAIN], inputs, method="greedy")
        if not keep:
            return
        self.readings += 1
        for name, clocks in parts.items():
            self.parts[name] += clocks
        for name in self.ways:
            self.network[name] += times[name]
            self.same[name] += readings[name].tokens == readings[PLAIN].tokens
            apart = float((outputs[name].logits.float() - outputs[PLAIN].logits).abs().max())
            self.difference[name] = max(self.difference[name], apart)

    def rows(self) -> list[str]:
        """Of both tables."""
        lines = [f"## {self.threads} thread{'s' * (self.threads > 1)}", "", *self._parts(), "", *self._ways()]
        return [*lines, "", self._verdict(), ""]

    def _parts(self) -> list[str]:
        lines = ["| part of a staff | ms, median (least) | CPU ms, median (least) |", "|---|---:|---:|"]
        every = {**self.parts, **{f"network: {name}": self.network[name] for name in (PLAIN, "ONNX Runtime")}}
        return lines + [f"| {name} | {' | '.join(_spread(clocks))} |" for name, clocks in every.items()]

    def _ways(self) -> list[str]:
        lines = [
            "| network | ms, median (least) | CPU ms, median (least) | of plain torch | by CPU | same symbols "
            "| logits differ by |",
            "|---|---:|---:|---:|---:|---:|---:|",
        ]
        for name in self.ways:
            ratios = [f"{ratio:.2f}x" for ratio in self._ratios(name)]
            same, apart = f"{self.same[name]} of {self.readings}", f"{self.difference[name]:.1g}"
            lines.append(f"| {' | '.join([name, *_spread(self.network[name]), *ratios, same, apart])} |")
        return lines

    def _ratios(self, name: str) -> list[float]:
        """Median of the ratios to plain torch: by the clock, by the CPU."""
        pairs = list(zip(self.network[name], self.network[PLAIN], strict=True))
        return [statistics.median(way[clock] / plain[clock] for way, plain in pairs) for clock in (0, 1)]

    def _verdict(self) -> str:
        """The whole staff, with ONNX Runtime and with plain torch."""
        told = []
        for name in ("ONNX Runtime", PLAIN):
            staves = zip(*self.parts.values(), self.network[name], strict=True)
            whole = [(sum(part[0] for part in staff), sum(part[1] for part in staff)) for staff in staves]
            clock, spent = _spread(whole)
            told.append(f"{clock} ms, {spent} of them CPU, with {name}")
        return f"A staff takes {'; '.join(told)}. {WANTED.get(self.threads, 0):.0f} ms are aimed at."


def _spread(clocks: list[Clocks]) -> list[str]:
    columns = list(zip(*clocks, strict=True))
    return [f"{statistics.median(column):.1f} ({min(column):.1f})" for column in columns]


def report(model: str, data: str, split: str, n: int, rounds: int, threads: list[int]) -> str:
    """Measures, and returns the committed result."""
    staves = list(read_staves(data, split=split, n=n))
    loaded = load(model, runtime="torch")
    lines = [
        "# A staff, part by part",
        "",
        f"`python -m benchmarks.runtime --model {model} --data {data} --split {split} --n {n} --rounds {rounds} "
        f"--threads {','.join(map(str, threads))}`:",
        f"{len(staves)} staves, {rounds} rounds, Python {platform.python_version()}, torch {torch.__version__}, "
        f"ONNX Runtime {onnxruntime.__version__}, {platform.machine()}, {datetime.now(UTC).date()}; "
        f"{os.cpu_count()} cores with {os.getloadavg()[0]:.1f} processes waiting for them.",
        "",
    ]
    order = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        (network,) = export(model, folder)["files"]
        for count in threads:
            torch.set_num_threads(count)
            comparison = Comparison(loaded, Path(network), count)
            comparison.read(staves[0], order, keep=False)
            for _ in range(rounds):
                for stave in staves:
                    comparison.read(stave, order)
            lines += comparison.rows()
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="r2crnn-omr-semantic")
    parser.add_argument("--data", default="dist/primus-rism")
    parser.add_argument("--split", default="test")
    parser.add_argument("--n", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="1,2", help="comma-separated")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    threads = [int(count) for count in arguments.threads.split(",")]
    text = report(arguments.model, arguments.data, arguments.split, arguments.n, arguments.rounds, threads)
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
