"""What every build of a dataset does with its folder: claim it, plan once, write the shards that are missing, finish.

A killed build continues: build.json keeps its settings, and .build/ its plan and what is unfinished.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfmusic.data.primus import plan_shards
from hfmusic.data.shard_plans import SPLITS
from hfmusic.data.shards import RowMaker, Shard, ShardReport, write_shards
from hfmusic.files import write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

STATE = ".build"  # the plan and what is unfinished; gone when the build is done
# A row's bytes depend on these packages; a build is not continued with others.
_PACKAGES = {
    "primus": ("verovio", "resvg_py", "opencv-python-headless", "pillow", "numpy", "pyarrow", "music21", "mido"),
    "primus_audio": ("pyfluidsynth", "soundfile", "numpy", "pyarrow", "music21", "mido"),
    "maps": ("soundfile", "soxr", "numpy", "pyarrow", "mido"),
    "guitarset": ("soundfile", "soxr", "numpy", "pyarrow"),
    "synthesized_instruments": ("pyfluidsynth", "soundfile", "soxr", "numpy", "pyarrow", "mido", "verovio"),
    "sheet_audio": ("verovio", "resvg_py", "matplotlib", "pillow", "pyfluidsynth", "soxr", "numpy", "pyarrow", "mido"),
    "pianoroll_audio": ("pyfluidsynth", "soundfile", "soxr", "numpy", "pyarrow", "mido", "verovio"),
}
_FORMAT = 1


def build_folder(
    name: str,
    out: Path,
    public: dict[str, Any],
    *,
    plan: Callable[[Path], dict[str, Any]],
    rows: RowMaker,
    schema: pa.Schema,
    card: Callable[[dict[str, Any]], str],
    num_proc: int,
    unit: str = "staff",
    nothing: str = "",
) -> dict[str, Any]:
    """Any dataset: claim the folder, plan, write the shards, finish. Returns the summary of `hfmusic.build.build`.

    Args:
        public: the settings as build.json has them.
        unit: what progress counts.
        nothing: what to say where the plan is empty.

    Raises:
        ValueError: a folder with a build of other settings, or nothing to build.
    """
    begun = time.monotonic()
    finished = claim(out, {"dataset": name} | public)
    if finished is not None:
        return finished
    with only_one(out):
        dropped, shards = load_plan(out, plan)
        if not shards:
            raise ValueError(nothing or "there is nothing to build")
        report = write_shards(shards, rows, schema, num_proc=num_proc, title=name, unit=unit)
        summary = finish(out, shards, report, dropped, card)
    return summary | {"seconds": round(time.monotonic() - begun, 1)}


def versions(dataset: str) -> dict[str, str]:
    """Versions of the packages that the bytes of a dataset depend on."""
    found = {}
    for package in _PACKAGES[dataset]:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    if "pyfluidsynth" in found:
        from hfmusic.render.fluid import library_version

        found["libfluidsynth"] = library_version()
    return found


def claim(out: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Note the settings in out/build.json, or compare them with those there; returns the summary of a finished build.

    Raises:
        ValueError: the folder holds a build of other settings, or files of no build.
    """
    note = out / "build.json"
    wanted: dict[str, Any] = {"format": _FORMAT, "settings": settings, "versions": versions(settings["dataset"])}
    if note.is_file():
        there = json.loads(note.read_text(encoding="utf-8"))
        differing = [
            f"{key} {there.get(part, {}).get(key)!r} there, {wanted[part].get(key)!r} now"
            for part in ("settings", "versions")
            for key in sorted({*there.get(part, {}), *wanted[part]})
            if there.get(part, {}).get(key) != wanted[part].get(key)
        ]
        if differing or there.get("format") != _FORMAT:
            raise ValueError(f"{out} holds a build of other settings ({'; '.join(differing)}): choose another folder")
        return there.get("summary")
    if out.is_dir() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty and holds no build: choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    _write_json(note, wanted)
    return None


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Hold a folder for one build; the system lets go of it however the build ends."""
    (out / STATE).mkdir(exist_ok=True)
    with (out / STATE / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another build is at work in {out}") from None
        yield


def load_plan(out: Path, write: Callable[[Path], dict[str, Any]]) -> tuple[dict[str, int], list[Shard]]:
    """What the plan of a build leaves out, by reason, and its shards. It is written now or found from before."""
    folder = out / STATE / "plan"
    ready = folder / "plan.json"
    plan = json.loads(ready.read_text(encoding="utf-8")) if ready.is_file() else write(folder)
    return plan["dropped"], plan_shards(plan, folder, out / "data")


def finish(
    out: Path,
    shards: Sequence[Shard],
    report: ShardReport,
    dropped: dict[str, int],
    card: Callable[[dict[str, Any]], str],
) -> dict[str, Any]:
    """Write failed.jsonl, the card and the summary; clear the plan away."""
    rows: Counter[str] = Counter()
    for shard in shards:
        rows[shard.path.name.split("-")[0]] += json.loads(shard.report.read_text(encoding="utf-8"))["rows"]
    summary = {
        "rows": {split: rows[split] for split in SPLITS if rows[split]},
        "failed": len(report.failed),
        "dropped": dropped,
    }
    lines = [json.dumps(entry, sort_keys=True) + "\n" for entry in report.failed]
    (out / "failed.jsonl").write_text("".join(lines), encoding="utf-8")
    (out / "README.md").write_text(card(summary), encoding="utf-8")
    note = json.loads((out / "build.json").read_text(encoding="utf-8"))
    _write_json(out / "build.json", note | {"summary": summary})
    shutil.rmtree(out / STATE)
    return summary


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomic(path, json.dumps(content, indent=1, sort_keys=True) + "\n")
