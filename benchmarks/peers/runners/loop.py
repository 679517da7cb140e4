"""What every system is run by, in its own environment: needs the standard library alone.

The first argument is a JSON file {"threads": int, "warm_up": a sound, "options": {...}, "files": [{"sound": path,
"sha256": of it, "notes": path to write}]}. One file is transcribed after another by one process. What is timed is from
the sound's file to its notes, after loading and after the warm-up (imports, compilation).
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Note = tuple[float, float, int, int]  # onset and offset in seconds, MIDI pitch, velocity
Transcriber = Callable[[str], Iterable[Note]]  # of the path of a WAV file


def run(load: Callable[[dict[str, Any]], Transcriber]) -> None:
    """Transcribe what the command line asks for; exit code 1 where a file failed, the others are done."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    keep_to_cores(job["threads"])
    begun = time.perf_counter()
    transcribe = load({**job["options"], "threads": job["threads"]})
    list(transcribe(job["warm_up"]))
    print(f"loaded and warm after {time.perf_counter() - begun:.0f} s", flush=True)
    failed = False
    for file in job["files"]:
        try:
            result = timed(transcribe, file["sound"])
        except Exception:  # of somebody else's program: named, and the others go on
            traceback.print_exc()
            failed = True
            continue
        write(Path(file["notes"]), {**result, "sha256": file["sha256"], "threads": job["threads"]})
        told = f"{len(result['notes'])} notes, {result['cpu_seconds']:.1f} s of CPU, {result['clock_seconds']:.1f} s"
        print(f"{Path(file['sound']).stem}: {told}", flush=True)
    sys.exit(int(failed))


def keep_to_cores(threads: int) -> None:
    """As many cores as threads, for runtimes that start a thread a core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


def timed(transcribe: Transcriber, sound: str) -> dict[str, Any]:
    """Notes of a sound, and the seconds by the clock and of the CPU (also of programs that were started)."""
    clock, spent = time.perf_counter(), cpu_seconds()
    notes = sorted((float(a), float(b), int(pitch), int(loud)) for a, b, pitch, loud in transcribe(sound))
    return {
        "notes": notes,
        "clock_seconds": time.perf_counter() - clock,
        "cpu_seconds": cpu_seconds() - spent,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def write(path: Path, result: dict[str, Any]) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(result) + "\n", encoding="utf-8")
    os.replace(temporary, path)
