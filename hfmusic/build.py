"""The verb `build`: the name of a dataset -> a folder of Parquet shards that `load_dataset` opens."""

from __future__ import annotations

import fcntl
import inspect
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfmusic.data.cards import primus_audio_card, primus_card
from hfmusic.data.primus import ENCODINGS, SPLITS, PrimusSettings, plan_shards, write_plan
from hfmusic.data.primus_audio import PrimusAudioSettings, write_audio_plan
from hfmusic.data.primus_rows import PrimusRows
from hfmusic.data.shards import RowMaker, Shard, ShardReport, write_shards
from hfmusic.files import write_atomic

if TYPE_CHECKING:
    import pyarrow as pa

STATE = ".build"  # the plan and what is unfinished; gone when the build is done
# A row's bytes depend on these packages; a build is not continued with others.
_PACKAGES = {
    "primus": ("verovio", "resvg_py", "opencv-python-headless", "pillow", "numpy", "pyarrow", "music21", "mido"),
    "primus_audio": ("pyfluidsynth", "soundfile", "numpy", "pyarrow", "music21", "mido"),
}
_FORMAT = 1


def build(name: str, out: str | Path, **options: Any) -> dict[str, Any]:
    """Build a dataset by name into a folder.

    Args:
        name: "primus" or "primus_audio".
        out: folder to write. A build that was killed continues there.
        options: those of the builder, see `build_primus` and `build_primus_audio`.

    Returns:
        Summary: rows of each split, failed and dropped items, seconds.

    Raises:
        ValueError: unknown dataset, bad option, or a folder with a build of other settings.
    """
    builders: dict[str, Callable[..., dict[str, Any]]] = {"primus": build_primus, "primus_audio": build_primus_audio}
    if name not in builders:
        raise ValueError(f"dataset must be one of {', '.join(builders)}, got {name!r}")
    strange = [option for option in options if option not in inspect.signature(builders[name]).parameters]
    if strange:
        raise ValueError(f"{name} has no option {', '.join(strange)}")
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

    public = settings.public()
    return _build(
        "primus",
        Path(out),
        public,
        plan=lambda folder: write_plan(settings, folder),
        rows=PrimusRows(seed, distorted),
        schema=parquet_schema(PRIMUS_FEATURES),
        card=lambda summary: primus_card(summary, settings, public),
        num_proc=num_proc,
    )


def build_primus_audio(
    out: str | Path,
    *,
    n: int | None = None,
    seed: int = 0,
    data_dir: str | Path | None = None,
    sources: Sequence[str] | None = None,
    num_proc: int = 2,
    generated: int = 0,
    variations: int = 0,
    rows_per_shard: int = 500,
    splits: str = "official",
    encodings: Sequence[str] = ENCODINGS,
    fonts: Sequence[str] | None = None,
    test_fonts: Sequence[str] = (),
    paper: bool = False,
    curate: bool = False,
    max_seconds: float | None = None,
    expressive: bool = False,
    gain: float = 0.2,
) -> dict[str, Any]:
    """Build the staves of `build_primus` with the same settings as sound: see `PrimusAudioSettings` for the options.

    Args:
        paper: the paper's protocol: one piano font, the shipped FluidR3_GM, plainly played, curated.
    """
    if paper and (fonts is not None or test_fonts or expressive):
        raise ValueError("paper means one font, plainly played: without fonts, test_fonts and expressive")
    settings = PrimusAudioSettings(
        plan=PrimusSettings(
            n=n,
            seed=seed,
            sources=tuple(sources) if sources is not None else default_sources(data_dir),
            generated=generated,
            variations=variations,
            rows_per_shard=rows_per_shard,
            data_dir=str(data_dir) if data_dir is not None else None,
            splits=splits,
            encodings=tuple(encodings),
        ),
        fonts=tuple(fonts) if fonts is not None else None,
        test_fonts=tuple(test_fonts),
        curate=curate or paper,
        max_seconds=max_seconds,
        expressive=expressive,
        gain=gain,
    )
    from hfmusic.data.schema import PRIMUS_AUDIO_FEATURES, parquet_schema

    rows = settings.rows()
    public = settings.public(rows)
    return _build(
        "primus_audio",
        Path(out),
        public,
        plan=lambda folder: write_audio_plan(settings, folder),
        rows=rows,
        schema=parquet_schema(PRIMUS_AUDIO_FEATURES),
        card=lambda summary: primus_audio_card(summary, settings.plan, public),
        num_proc=num_proc,
    )


def _build(
    name: str,
    out: Path,
    public: dict[str, Any],
    *,
    plan: Callable[[Path], dict[str, Any]],
    rows: RowMaker,
    schema: pa.Schema,
    card: Callable[[dict[str, Any]], str],
    num_proc: int,
) -> dict[str, Any]:
    """Any dataset: claim the folder, plan, write the shards, finish. `public`: the settings as build.json has them."""
    begun = time.monotonic()
    finished = claim(out, {"dataset": name} | public)
    if finished is not None:
        return finished
    with only_one(out):
        dropped, shards = load_plan(out, plan)
        if not shards:
            raise ValueError(
                f"no tune of the sources {', '.join(public['sources'])} can be written in PrIMuS's encodings"
            )
        report = write_shards(shards, rows, schema, num_proc=num_proc, title=name)
        summary = finish(out, shards, report, dropped, card)
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


def versions(dataset: str) -> dict[str, str]:
    """Versions of the packages that the bytes of a dataset depend on."""
    found = {}
    for package in _PACKAGES[dataset]:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    if dataset == "primus_audio":
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
