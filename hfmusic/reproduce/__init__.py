"""The verb `reproduce`: every cell of a paper's tables from one command, and a report of what came out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hfmusic.reproduce.cells import Cell
    from hfmusic.reproduce.recipes import Places, Scale

PAPERS = ("smc2022", "r2crnn", "les2023", "dorfer2017", "dias2018")
SCALE_NAMES = ("small", "paper")
FOLDERS = {
    "small": ("dist/primus-omr", "dist/primus-audio-paper"),
    "paper": ("dist/primus", "dist/primus-audio"),
}
SHEETS = "dist/sheet-audio"
ROLLS = {"loud": "dist/pianoroll-audio-mozart", "quiet": "dist/pianoroll-audio-mozart-quiet"}
RECORDINGS = {"maps": "dist/maps", "guitarset": "dist/guitarset", "synthesized": "dist/synthesized-les2023"}


def reproduce(
    paper: str = "smc2022",
    *,
    tables: Sequence[str] = ("2", "3", "beyond"),
    scale: str = "small",
    seeds: Sequence[int] = (0, 1, 2),
    out: str | Path | None = None,
    images: str | Path | None = None,
    audio: str | Path | None = None,
    recordings: Mapping[str, str | Path | None] | None = None,
    sheets: str | Path | None = None,
    test_sheets: str | Path | None = None,
    rolls: Mapping[str, str | Path | None] | None = None,
    protocol: str = "leak-free",
    cells: Sequence[str] = (),
    dry_run: bool = False,
    cache_dir: str = "cache/features",
) -> dict[str, Any]:
    """Train and measure the cells of a paper's tables; resumable cell by cell, and within a cell.

    Args:
        paper: "smc2022" (paper 000, tables 2 and 3), "r2crnn" (paper 002, table 1), "les2023" (paper 001, tables 1 to 3
            and figure 3), "dorfer2017" (paper 003, tables 2 and 3 and figure 7) or "dias2018" (paper 004, table 2).
        tables: of smc2022: "2", "3", and "beyond": the cells that this project adds to both.
        scale: "small" (two CPU cores, an hour or so a seed) or "paper" (Camera-PrIMuS, a GPU).
        out: folder for lists of staves, runs, one JSON a cell, and results.json, .md and .png.
        images, audio: datasets of the same staves, as `hfmusic build primus` and `primus_audio` make them (r2crnn
            takes only pictures).
        recordings: of les2023: the datasets "maps", "guitarset" and "synthesized", as `hfmusic build maps`, `guitarset`
            and `synthesized_instruments` make them.
        sheets: of dorfer2017: the dataset that `hfmusic build sheet_audio` makes, with several fonts and tempi.
        test_sheets: of dorfer2017: the dataset whose validation and test splits are measured on. None: `sheets`.
        rolls: of dias2018: the datasets "loud" and "quiet" that `hfmusic build pianoroll_audio` makes of the same files
            and fonts, the second with `--velocity one`.
        protocol: of les2023: "leak-free" drops recordings of compositions that are in a test set, "paper" keeps them.
        cells: names or patterns (`a2i-*`) of cells to run, after those they need. None: all of the tables.
        dry_run: only list the cells, with estimated minutes.

    Returns:
        What results.json holds; of a dry run, `cells` and `minutes`.

    Raises:
        ValueError: an unknown paper, table, scale or cell, or data that is not there.
    """
    _check("paper", paper, PAPERS)
    _check("scale", scale, SCALE_NAMES)
    if not seeds or min(seeds) < 0:
        raise ValueError(f"seeds must be numbers from 0, at least one, got {list(seeds)}")
    if paper == "les2023":
        place = Path(out or f"runs/{paper}-{scale}-{protocol}")
        return _les2023(scale, seeds, place, recordings or {}, protocol, cells, dry_run, cache_dir)
    folder = Path(out or f"runs/{paper}-{scale}")
    if paper == "dorfer2017":
        data = (str(sheets or SHEETS), str(test_sheets or ""))
        return _dorfer2017(scale, seeds, folder, data, cells, dry_run, cache_dir)
    if paper == "dias2018":
        return _dias2018(scale, seeds, folder, rolls or {}, cells, dry_run, cache_dir)
    if paper == "r2crnn":
        return _r2crnn(scale, seeds, folder, str(images or FOLDERS[scale][0]), cells, dry_run, cache_dir)
    from hfmusic.reproduce.cells import chosen_cells
    from hfmusic.reproduce.recipes import SCALES

    chosen, settings = chosen_cells(tables, cells), SCALES[scale]
    if dry_run:
        return _plan(chosen, settings, seeds, folder)
    defaults = FOLDERS[scale]
    places = _places(settings, folder, str(images or defaults[0]), str(audio or defaults[1]), cache_dir)
    return _run(chosen, settings, places, seeds, _command(paper, scale, tables, seeds, cells))


def _r2crnn(
    scale: str, seeds: Sequence[int], out: Path, images: str, patterns: Sequence[str], dry_run: bool, cache_dir: str
) -> dict[str, Any]:
    from hfmusic.reproduce.r2crnn import base_recipe, cells_called, reproduce_table

    cells = cells_called(patterns)
    if dry_run:
        steps, rows = base_recipe(scale).max_steps, []
        for seed in seeds:
            for cell in cells:
                done = (out / f"seed{seed}" / f"{cell.name}.json").is_file()
                rows.append({"cell": cell.name, "seed": seed, "steps": steps, "minutes": None, "done": done})
        return {"cells": rows, "minutes": None}
    command = _command("r2crnn", scale, (), seeds, patterns)
    options: dict[str, Any] = {"scale": scale, "seeds": seeds, "cache_dir": cache_dir, "command": command}
    return reproduce_table(out=out, images=images, cells=cells, **options)


def _les2023(
    scale: str,
    seeds: Sequence[int],
    out: Path,
    recordings: Mapping[str, str | Path | None],
    protocol: str,
    patterns: Sequence[str],
    dry_run: bool,
    cache_dir: str,
) -> dict[str, Any]:
    from hfmusic.reproduce.les2023 import PROTOCOLS, SCALES, Places, cells_called, reproduce_tables

    _check("protocol", protocol, PROTOCOLS)
    cells = cells_called(patterns)
    if dry_run:
        return _even_plan(cells, SCALES[scale].steps, SCALES[scale].minutes, seeds, out)
    folders = {name: str(recordings.get(name) or folder) for name, folder in RECORDINGS.items()}
    command = f"{_command('les2023', scale, (), seeds, patterns)} --protocol {protocol}"
    places = Places(folders, out, cache_dir, protocol)
    return reproduce_tables(scale=scale, seeds=seeds, places=places, cells=cells, command=command)


def _dorfer2017(
    scale: str,
    seeds: Sequence[int],
    out: Path,
    data: tuple[str, str],
    patterns: Sequence[str],
    dry_run: bool,
    cache_dir: str,
) -> dict[str, Any]:
    from hfmusic.reproduce.dorfer2017 import SCALES, cells_called, reproduce_tables
    from hfmusic.reproduce.dorfer2017_data import Places

    cells = cells_called(patterns)
    if dry_run:
        return _even_plan(cells, SCALES[scale].steps, SCALES[scale].minutes, seeds, out)
    command = _command("dorfer2017", scale, (), seeds, patterns)
    for option, folder, default in (("sheets", data[0], SHEETS), ("test-sheets", data[1], "")):
        command += f" --{option} {folder}" * (folder != default)
    places = Places(data[0], out, cache_dir, data[1])
    return reproduce_tables(scale=scale, seeds=seeds, places=places, cells=cells, command=command)


def _dias2018(
    scale: str,
    seeds: Sequence[int],
    out: Path,
    rolls: Mapping[str, str | Path | None],
    patterns: Sequence[str],
    dry_run: bool,
    cache_dir: str,
) -> dict[str, Any]:
    from hfmusic.reproduce.dias2018 import SCALES, cells_called, reproduce_table
    from hfmusic.reproduce.dias2018_data import Places

    cells = cells_called(patterns)
    if dry_run:
        return _even_plan(cells, SCALES[scale].steps, SCALES[scale].minutes, seeds, out)
    folders = {name: str(rolls.get(name) or folder) for name, folder in ROLLS.items()}
    places = Places(**folders, out=out, cache_dir=cache_dir)
    command = _command("dias2018", scale, (), seeds, patterns)
    return reproduce_table(scale=scale, seeds=seeds, places=places, cells=cells, command=command)


def _even_plan(
    cells: Sequence[Any], steps: int, minutes: float | None, seeds: Sequence[int], out: Path
) -> dict[str, Any]:
    """Cells that all take the same steps and minutes, and whether they are done."""
    rows = [
        {"cell": cell.name, "seed": seed, "steps": steps, "minutes": minutes}
        | {"done": (out / f"seed{seed}" / f"{cell.name}.json").is_file()}
        for seed in seeds
        for cell in cells
    ]
    left = sum(not row["done"] for row in rows)
    return {"cells": rows, "minutes": None if minutes is None else minutes * left}


def _check(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {given!r}")


def _plan(cells: Sequence[Cell], scale: Scale, seeds: Sequence[int], out: Path) -> dict[str, Any]:
    """Cells with their steps and minutes, and whether they are done."""
    from hfmusic.reproduce.recipes import base_recipe

    rows: list[dict[str, Any]] = []
    for seed in seeds:
        for cell in cells:
            most = scale.curation.limits.get("train", cell.size or 1)
            steps = scale.step_count(cell, min(cell.size or most, most), base_recipe(scale.name).batch_size)
            steps *= 2 if cell.method in ("multitask", "rehearsal") else 0 if cell.method == "fusion" else 1
            done = (out / f"seed{seed}" / f"{cell.name}.json").is_file()
            minutes = None if scale.seconds_per_step is None else round(steps * scale.seconds_per_step / 60, 1)
            rows.append({"cell": cell.name, "seed": seed, "steps": steps, "minutes": minutes, "done": done})
    left = [row["minutes"] for row in rows if not row["done"] and row["minutes"] is not None]
    return {"cells": rows, "minutes": round(sum(left), 1) if left else None}


def _places(scale: Scale, out: Path, images: str, audio: str, cache_dir: str) -> Places:
    """Choose the staves, or read the lists of an earlier call: a resumed reproduction keeps its staves."""
    from dataclasses import replace

    from hfmusic.models.configuration_crnn import CRNNConfig
    from hfmusic.reproduce.recipes import Places, base_recipe
    from hfmusic.reproduce.staves import Chosen, Folders, choose

    lists = out / "staves"
    folders = Folders(images, audio)
    if (lists / "places.json").is_file():
        return Places(folders, out, cache_dir, Chosen.read(lists))
    config = replace(base_recipe(scale.name), cache_dir=cache_dir)
    chosen = choose(config, folders, scale.curation, CRNNConfig(**config.model).width_stride)
    chosen.write(lists)
    return Places(folders, out, cache_dir, chosen)


def _run(cells: Sequence[Cell], scale: Scale, places: Places, seeds: Sequence[int], command: str) -> dict[str, Any]:
    from hfmusic.reproduce.report import write_report
    from hfmusic.reproduce.runner import Bench

    about = {
        "staves": {part: len(ids) for part, ids in places.chosen.ids.items()},
        "note": scale.note,
        "steps": dict(scale.steps),
    }
    bench = Bench(scale, places)
    summary: dict[str, Any] = {}
    total = len(cells) * len(seeds)
    for number, (seed, cell) in enumerate(((seed, cell) for seed in seeds for cell in cells), 1):
        print(f"[{number}/{total}] seed {seed}, {cell.name}", flush=True)
        result = bench.run(cell, seed)
        print("  " + ", ".join(f"{domain} {rate:.1f}" for domain, rate in result["ser"].items()), flush=True)
        summary = write_report(places.out, scale=scale.name, command=command, about=about)
    return summary


def _command(paper: str, scale: str, tables: Sequence[str], seeds: Sequence[int], cells: Sequence[str]) -> str:
    words = ["hfmusic", "reproduce", paper, *(["--table", ",".join(tables)] if tables else []), "--scale", scale]
    words += ["--seeds", ",".join(map(str, seeds))]
    return shlex.join(words + (["--cells", ",".join(cells)] if cells else []))
