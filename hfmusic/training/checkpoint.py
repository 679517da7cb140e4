"""Checkpoints of a run: written beside their name and renamed, the oldest removed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

_NAME = re.compile(r"checkpoint-(\d{8})$")


def checkpoint_folders(run_dir: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first."""
    if not run_dir.is_dir():
        return []
    return sorted(folder for folder in run_dir.iterdir() if folder.is_dir() and _NAME.match(folder.name))


def checkpoint_folder(run_dir: Path, step: int) -> Path:
    return run_dir / f"checkpoint-{step:08d}"


def write_folder(folder: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` fill a temporary folder, then put it in place of `folder`: it is complete or absent."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    write(partial)
    replace_folder(partial, folder)


def replace_folder(partial: Path, folder: Path) -> None:
    """Rename `partial` to `folder`, which may exist."""
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def prune(run_dir: Path, total_limit: int) -> None:
    """Remove all but the newest `total_limit` checkpoints."""
    for folder in checkpoint_folders(run_dir)[:-total_limit]:
        shutil.rmtree(folder)


class RunLog:
    """`log.jsonl` of a run: one JSON object a line, each with its step. A resumed run drops lines of later steps."""

    def __init__(self, path: Path, resumed_at: int | None = None) -> None:
        self.path = path
        kept = [] if resumed_at is None else [entry for entry in read_log(path) if entry["step"] <= resumed_at]
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".partial")
        temporary.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")
        temporary.replace(path)

    def write(self, **entry: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """The entries of a log; a last line cut off by a kill is left out."""
    entries = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return entries
