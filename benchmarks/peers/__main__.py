"""hfmusic's transcriber beside others, on the same recordings: F1 and speed.

    python -m benchmarks.peers --data maps=DIR --data guitarset=DIR --work FOLDER [--split test] [--seconds 30]
        [--systems hfmusic,basic-pitch,transkun] [--threads 2] [--output benchmarks/peers.md]

Each system has an environment of its own in FOLDER/environments (made once, with pip), gets the same WAV files and
writes the notes that it finds to FOLDER/notes; all are scored by hfmusic.metrics.notes, mean over recordings. What is
there is not done again, so a killed run goes on; other sounds, another number of threads or other weights of hfmusic
are done anew, and `--again SYSTEM` does one anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import shlex
import shutil
import struct
import sys
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers.excerpts import Excerpt, prepare
from benchmarks.peers.scoring import Outcome, notes_path, score, table, track_table, transcribed, verdicts
from benchmarks.peers.systems import SYSTEMS, environment, runner
from hfmusic.files import write_atomic
from hfmusic.hub import find_model


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    sets: dict[str, str]
    systems: list[str]
    split: str
    seconds: float | None
    n: int | None
    threads: int
    model: str
    work: Path

    def notes_folder(self, name: str, system: str) -> Path:
        """Where a system's notes of a set are kept: by what changes its result or its times."""
        length = "whole" if self.seconds is None else f"{self.seconds:g}s"
        kind = f"hfmusic-{fingerprint(self.model)}" if system == "hfmusic" else system
        return self.work / "notes" / f"{name}-{self.split}-{length}" / f"{kind}-{self.threads}"


def fingerprint(model: str) -> str:
    """A name for a model's files as they are now, so that another network's notes are not taken for its own."""
    place = Path(find_model(model))
    if not place.is_dir():
        return place.name
    digest = hashlib.sha256()
    for name in ("config.json", "model.onnx", "model.safetensors", "processor_config.json"):
        if (place / name).is_file():
            digest.update((place / name).read_bytes())
    return f"{place.name}-{digest.hexdigest()[:8]}"


def command_of(plan: Plan) -> str:
    """What to type for the same: of the data's places, which differ between machines, the last two names."""
    words = ["python", "-m", "benchmarks.peers"]
    for name, place in plan.sets.items():
        words += [
            "--data",
            f"{name}={Path(*Path(place).parts[-2:])}" if Path(place).is_absolute() else f"{name}={place}",
        ]
    words += ["--split", plan.split, "--systems", ",".join(plan.systems), "--threads", str(plan.threads)]
    words += ["--seconds", f"{plan.seconds:g}"] if plan.seconds is not None else []
    words += ["--n", str(plan.n)] if plan.n is not None else []
    words += ["--model", Path(plan.model).name] if "hfmusic" in plan.systems else []
    return shlex.join([*words, "--work", "FOLDER"])


def compare(plan: Plan, again: Sequence[str] = ()) -> tuple[dict[str, list[Outcome]], dict[str, list[Excerpt]]]:
    """Run every system on every set; outcomes and excerpts by set."""
    for name in plan.sets:
        for system in again:
            shutil.rmtree(plan.notes_folder(name, system), ignore_errors=True)
    excerpts = {
        name: prepare(data, plan.split, plan.seconds, plan.n, plan.work / "sounds" / name)
        for name, data in plan.sets.items()
    }
    for system in plan.systems:
        transcribe(plan, system, excerpts)
    outcomes = {
        name: [score(system, parts, plan.notes_folder(name, system)) for system in plan.systems]
        for name, parts in excerpts.items()
    }
    return outcomes, excerpts


def transcribe(plan: Plan, system: str, excerpts: dict[str, list[Excerpt]]) -> None:
    """Let a system transcribe what it has not."""
    files = []
    for name, parts in excerpts.items():
        folder = plan.notes_folder(name, system)
        left = [excerpt for excerpt in parts if transcribed(folder, excerpt) is None]
        files += [
            {"sound": str(one.sound), "sha256": one.sha256, "notes": str(notes_path(folder, one))} for one in left
        ]
    if not files:
        return
    print(f"{system}: {len(files)} recordings", flush=True)
    python = environment(system, plan.work)
    job: dict[str, Any] = {"threads": plan.threads, "warm_up": str(warm_up(plan.work)), "files": files}
    job["options"] = {"model": str(Path(plan.model).resolve() if Path(plan.model).is_dir() else plan.model)}
    path = write_atomic(plan.work / f"{system}.job.json", json.dumps(job))
    if runner(system, python, path, plan.threads):
        print(f"{system}: not all recordings were transcribed", file=sys.stderr, flush=True)


def warm_up(folder: Path) -> Path:
    """Three seconds of a quiet tone."""
    path = folder / "warm_up.wav"
    samples = [round(3000 * math.sin(2 * math.pi * 440 * place / 16000)) for place in range(48000)]
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, len(samples), "NONE", ""))
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))
    return path


def report(plan: Plan, outcomes: dict[str, list[Outcome]], excerpts: dict[str, list[Excerpt]], command: str) -> str:
    """The committed result."""
    lines = [
        "# Transcribers side by side",
        "",
        f"`{command}`:",
        f"Python {platform.python_version()}, {platform.machine()}, {datetime.now(UTC).date()}; {plan.threads} of "
        f"{os.cpu_count()} cores for each system, {os.getloadavg()[0]:.1f} processes waiting for them.",
        "Mean over recordings of mir_eval's F1 (frames of 32 ms; onsets within 50 ms). Times are from a WAV file to "
        "its notes, after loading. On a busy machine compare CPU seconds.",
        "",
    ]
    for name, rows in outcomes.items():
        parts = excerpts[name]
        sound = f"{len(parts)} recordings, {sum(part.seconds for part in parts):.0f} s"
        if plan.seconds is not None:
            sound += f" (the first {plan.seconds:g} s of each)"
        lines += [f"## {name}, {plan.split}", "", f"{sound}, {sum(len(part.notes) for part in parts)} notes.", ""]
        lines += [*table(rows), "", *(line + "\n" for line in verdicts(rows)), *track_table(rows), ""]
        lines += [
            f"Failed, counted as nothing found: {row.system}: {', '.join(row.missing)}.\n"
            for row in rows
            if row.missing
        ]
    lines += ["## What they are", ""]
    lines += [f"- {system}: {SYSTEMS[system].about}" for system in plan.systems]
    lines += [f"- hfmusic's model: {fingerprint(plan.model)}"] if "hfmusic" in plan.systems else []
    return "\n".join(lines) + "\n"


def as_json(outcomes: dict[str, list[Outcome]], command: str) -> str:
    sets = {
        name: {row.system: {"mean": row.mean, "tracks": row.tracks, "missing": row.missing} for row in rows}
        for name, rows in outcomes.items()
    }
    return json.dumps({"command": command, "date": str(datetime.now(UTC).date()), "sets": sets}, indent=1) + "\n"


def arguments_of(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.peers", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", action="append", required=True, help="DIR or NAME=DIR, as hfmusic evaluate takes it")
    parser.add_argument("--work", type=Path, required=True, help="a folder outside the repository")
    parser.add_argument("--systems", default=",".join(SYSTEMS))
    parser.add_argument("--split", default="test")
    parser.add_argument("--seconds", type=float, help="only the first of each recording")
    parser.add_argument("--n", type=int, help="only the first recordings of each set")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", default="unet-transcriber", help="hfmusic's")
    parser.add_argument("--again", default="", help="comma-separated systems to do anew")
    parser.add_argument("--output", type=Path, help="NAME.md to write, and NAME.json")
    return parser.parse_args(words)


def plan_of(given: argparse.Namespace) -> Plan:
    """Raises ValueError for what cannot be done."""
    systems, again = ([name for name in text.split(",") if name] for text in (given.systems, given.again))
    unknown = [name for name in systems + again if name not in SYSTEMS]
    if unknown or not systems:
        raise ValueError(f"systems must be of {', '.join(SYSTEMS)}, got {', '.join(unknown) or 'none'}")
    if (given.seconds is not None and given.seconds <= 0) or given.threads < 1 or (given.n is not None and given.n < 1):
        raise ValueError("seconds, threads and n must be positive")
    work = given.work.resolve()
    if Path.cwd().resolve() in (work, *work.parents):
        raise ValueError(f"{given.work}: environments and sounds belong outside the repository")
    sets = {}
    for text in given.data:
        name, _, place = text.rpartition("=")
        sets[name or Path(place).resolve().name] = place
    work.mkdir(parents=True, exist_ok=True)
    return Plan(sets, systems, given.split, given.seconds, given.n, given.threads, given.model, work)


def main(words: Sequence[str] | None = None) -> None:
    given = arguments_of(sys.argv[1:] if words is None else words)
    try:
        plan = plan_of(given)
        outcomes, excerpts = compare(plan, [name for name in given.again.split(",") if name])
    except ValueError as error:
        sys.exit(f"peers: {error}")
    command = command_of(plan)
    text = report(plan, outcomes, excerpts, command)
    print(text)
    if given.output:
        write_atomic(given.output, text)
        write_atomic(given.output.with_suffix(".json"), as_json(outcomes, command))


if __name__ == "__main__":
    main()
