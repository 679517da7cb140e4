"""A training step in bfloat16, against the same step in float32, for the recommended networks.

    python -m benchmarks.precision [--rounds 5] [--threads 1] [--output benchmarks/precision.md]

Random inputs of the recipes' sizes, AdamW, both precisions in turn in one process, by CPU seconds of the process.
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
from hfmusic.training.loop import has_bfloat16

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
    "audio and sheets, 128 pairs": lambda: embedding(AudioScoreConfig()),
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
        "# Steps in bfloat16",
        "",
        f"`python -m benchmarks.precision --rounds {arguments.rounds} --threads {arguments.threads}`: medians, "
        f"torch {torch.__version__}, {platform.machine()}, a CPU that {known}, {datetime.now(UTC).date()}.",
        "",
        "| network | float32, CPU s a step | bfloat16 | ratio |",
        "|---|---:|---:|---:|",
    ]
    for name in NETWORKS:
        full, half = (statistics.median(seconds) for seconds in measure(name, arguments.rounds).values())
        lines.append(f"| {name} | {full:.2f} | {half:.2f} | {half / full:.2f} |")
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
