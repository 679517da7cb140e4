"""The verb `build`: the name of a dataset -> a folder of Parquet shards that `load_dataset` opens."""

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
from typing import Any

from hfmusic.data.primus import ENCODINGS, SPLITS, PrimusSettings, plan_shards, write_plan
from hfmusic.data.primus_rows import PrimusRows
from hfmusic.data.shards import Shard, ShardReport, write_shards
from hfmusic.files import write_atomic

STATE = ".build"  # the plan and what is unfinished; gone when the build is done
# A row's bytes depend on these packages; a build is not continued with others.
_PACKAGES = ("verovio", "resvg_py", "opencv-python-headless", "pillow", "numpy", "pyarrow", "music21", "mido")
_FORMAT = 1

ATTRIBUTION = {
    "rism": "Incipits of the RISM catalogue (https://rism.info), CC BY 3.0, RISM Zentralredaktion and contributors, "
    "engraved anew.",
    "music21": "Tunes of the music21 corpus (https://web.mit.edu/music21), each under the terms named there. "
    "Read from the installed package; check them before you pass this dataset on.",
    "openscore": "Voice parts of OpenScore songs (https://openscore.cc), CC0.",
    "primus": "PrIMuS / Camera-PrIMuS, J. Calvo-Zaragoza and D. Rizo "
    "(https://grfia.dlsi.ua.es/primus), under its own terms.",
    "generated": "Tunes drawn by hfmusic from statistics of the RISM incipits.",
}


def build(name: str, out: str | Path, **options: Any) -> dict[str, Any]:
    """Build a dataset by name into a folder.

    Args:
        name: "primus".
        out: folder to write. A build that was killed continues there.
        options: those of the builder, see `build_primus`.

    Returns:
        Summary: rows of each split, failed and dropped items, seconds.

    Raises:
        ValueError: unknown dataset, bad option, or a folder with a build of other settings.
    """
    builders: dict[str, Callable[..., dict[str, Any]]] = {"primus": build_primus}
    if name not in builders:
        raise ValueError(f"dataset must be one of {', '.join(builders)}, got {name!r}")
    return builders[name](out, **options)


def build_primus(
    out: str | Path,
    *,
    n: int | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    sources: Sequence[str] | None = None,
    num_proc: int = 2,
    generated: int = 0,
    variations: int = 0,
    distorted: bool = True,
    rows_per_shard: int = 500,
    splits: str = "official",
    encodings: Sequence[str] = ENCODINGS,
) -> dict[str, Any]:
    """Build staves with labels in PrIMuS's manner: see `PrimusSettings` for the options and `build` for the summary.

    Without `sources`: genuine PrIMuS alone if `data_dir` holds it, OpenScore beside RISM and music21, or these two.
    """
    settings = PrimusSettings(
        n=n,
        seed=seed,
        sources=tuple(sources) if sources is not None else default_sources(data_dir),
        generated=generated,
        variations=variations,
        distorted=distorted,
        rows_per_shard=rows_per_shard,
        data_dir=str(data_dir) if data_dir is not None else None,
        splits=splits,
        encodings=tuple(encodings),
    )
    # Here, not above: `hfmusic --help` and the worker processes need no datasets.
    from hfmusic.data.schema import PRIMUS_FEATURES, parquet_schema

    begun, out = time.monotonic(), Path(out)
    finished = claim(out, {"dataset": "primus"} | settings.public())
    if finished is not None:
        return finished
    with only_one(out):
        plan, shards = load_plan(out, settings)
        rows = PrimusRows(seed, distorted)
        report = write_shards(shards, rows, parquet_schema(PRIMUS_FEATURES), num_proc=num_proc, title="primus")
        summary = finish(out, shards, report, plan["dropped"], settings)
    return summary | {"seconds": round(time.monotonic() - begun, 1)}


def default_sources(data_dir: str | Path | None) -> tuple[str, ...]:
    """The sources that a data folder speaks for."""
    if data_dir is None:
        return ("rism", "music21")
    folder = Path(data_dir)
    if not folder.is_dir():
        raise ValueError(f"data_dir must be a folder, got {folder}")
    if next(folder.rglob("*.mxl"), None):
        return ("rism", "music21", "openscore")
    if next(folder.rglob("*.semantic"), None):
        return ("primus",)
    raise ValueError(f"data_dir must hold PrIMuS (.semantic) or OpenScore (.mxl) files, got {folder}")


def versions() -> dict[str, str]:
    """Versions of the packages that the bytes of a dataset depend on."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


def claim(out: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Note the settings in out/build.json, or compare them with those there; returns the summary of a finished build.

    Raises:
        ValueError: the folder holds a build of other settings, or files of no build.
    """
    note = out / "build.json"
    wanted: dict[str, Any] = {"format": _FORMAT, "settings": settings, "versions": versions()}
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


def load_plan(out: Path, settings: PrimusSettings) -> tuple[dict[str, Any], list[Shard]]:
    """The plan of a build, made now or found from before, and its shards."""
    folder, data = out / STATE / "plan", out / "data"
    ready = folder / "plan.json"
    plan = json.loads(ready.read_text(encoding="utf-8")) if ready.is_file() else write_plan(settings, folder)
    if not plan["shards"]:
        raise ValueError(f"no tune of the sources {', '.join(settings.sources)} can be written in PrIMuS's encodings")
    return plan, plan_shards(plan, folder, data)


def finish(
    out: Path, shards: Sequence[Shard], report: ShardReport, dropped: dict[str, int], settings: PrimusSettings
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
    (out / "README.md").write_text(card(summary, settings), encoding="utf-8")
    note = json.loads((out / "build.json").read_text(encoding="utf-8"))
    _write_json(out / "build.json", note | {"summary": summary})
    shutil.rmtree(out / STATE)
    return summary


def card(summary: dict[str, Any], settings: PrimusSettings) -> str:
    """The dataset's README.md: YAML that `load_dataset` reads, counts, licence and attribution."""
    used = [*settings.sources, *(["generated"] if settings.generated else [])]
    files = "\n".join(f"  - split: {split}\n    path: data/{split}-*.parquet" for split in summary["rows"])
    counts = "\n".join(f"| {split} | {rows} |" for split, rows in summary["rows"].items())
    credits = "\n".join(f"- {source}: {ATTRIBUTION[source]}" for source in used)
    dropped = ", ".join(f"{reason} {count}" for reason, count in summary["dropped"].items()) or "none"
    described = ", ".join(f"{key} {value}" for key, value in settings.public().items())
    return _CARD.format(
        licence="cc-by-3.0" if set(used) <= {"rism", "generated", "openscore"} else "other",
        files=files,
        counts=counts,
        credits=credits,
        failed=summary["failed"],
        dropped=dropped,
        settings=described,
    )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_atomic(path, json.dumps(content, indent=1, sort_keys=True) + "\n")


_CARD = """---
pretty_name: Staves in PrIMuS's manner
license: {licence}
task_categories:
- image-to-text
tags:
- music
- optical-music-recognition
configs:
- config_name: default
  default: true
  data_files:
{files}
---

# Staves in PrIMuS's manner

One staff of music a row, engraved by Verovio, with its labels. Built by `hfmusic build primus`.

| split | rows |
|---|---|
{counts}

Splits are by source work, and no text occurs in two of them or twice in one.

| column | what |
|---|---|
| id, work, source | the stave, the work it is from, the collection that work is from |
| image | PNG, black and white or gray, cropped to the ink |
| distorted | the same as a camera might see it: JPEG, gray |
| semantic, agnostic | PrIMuS's two encodings, tokens parted by tabs |
| midi | a MIDI file: 120 bpm, velocity 64 |
| mei | the MEI the image is engraved from |

## Where the music is from

{credits}

## How it was built

Settings: {settings}. Not expressible in PrIMuS's encodings, or a duplicate, hence left out: {dropped}.
Failed in engraving: {failed} (failed.jsonl). The versions of the packages are in build.json.
"""
