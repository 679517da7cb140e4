"""A training step in bfloat16, against the same step in float32, for the recommended networks; and where glibc keeps
what is freed (`keep_memory`, as trainings do).

    python -m benchmarks.precision [--rounds 5] [--threads 1] [--output benchmarks/precision.md]

Random inputs of the recipes' sizes, AdamW, both precisions in turn in one process, by CPU seconds of the process; then
all again with memory kept.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from hfmusic.models.configuration_audio_score import AudioScoreConfig
from hfmusic.models.configuration_unet_transcriber import UNetTranscriberConfig
from hfmusic.models.modeling_audio_score import AudioScoreModel
from hfmusic.models.modeling_unet_transcriber import UNetTranscriber
from hfmusic.training.loop import has_bfloat16, keep_memory

FRAMES = 160  # 5.12 s


def transcriber(batch: int = 8) -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    config = UNetTranscriberConfig()
    features = torch.rand(batch, 1, FRAMES, config.n_bins)
    labels = {name: (torch.rand(batch, FRAMES, 88) < 0.05).float() for name in config.heads}
    return UNetTranscriber(config), lambda model: model(features, labels=labels).loss


def embedding(config: AudioScoreConfig, batch: int = 128) -> tuple[nn.Module, Callable[[nn.Module], Tensor]]:
    audio, score = (torch.rand(batch, 1, *size) for size in (config.audio_size, config.score_size))
    return AudioScoreModel(config), lambda model: model(audio, score, return_loss=True).loss


NETWORKS = {
    "transcriber, 8 x 5.12 s": transcriber,
    "audio and sheets, 256 pairs": lambda: embedding(AudioScoreConfig(), 256),
    "audio and rolls, 128 pairs": lambda: embedding(AudioScoreConfig.recommended_roll()),
}


def measure(name: str, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each round's step, by precision."""
    model, loss_of = NETWORKS[name]()
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    found: dict[str, list[float]] = {"float32": [], "bfloat16": []}
    for number in tqdm(range(rounds + 1), desc=name, leave=False):
        for precision, seconds in found.items():
            start = time.process_time()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = loss_of(model)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            if number:  # the first compiles kernels
                seconds.append(time.process_time() - start)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    known = (
        "computes in bfloat16" if has_bfloat16() else "imitates bfloat16, so that `mixed_precision: auto` is float32"
    )
    lines = [
        "# Steps in bfloat16, and with memory kept",
        "",
        f"`python -m benchmarks.precision --rounds {arguments.rounds} --threads {arguments.threads}`: CPU seconds "
        f"a step, medians, torch {torch.__version__}, {platform.machine()}, a CPU that {known}, "
        f"{datetime.now(UTC).date()}.",
        "",
        "| network | float32 | bfloat16 | ratio | bfloat16, memory kept | ratio to bfloat16 |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    plain = {name: measure(name, arguments.rounds) for name in NETWORKS}
    keep_memory()
    for name, found in plain.items():
        full, half = (statistics.median(seconds) for seconds in found.values())
        kept = statistics.median(measure(name, arguments.rounds)["bfloat16"])
        lines.append(f"| {name} | {full:.2f} | {half:.2f} | {half / full:.2f} | {kept:.2f} | {kept / half:.2f} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
