"""What reproductions of tables by cells share: which cells were asked for, verdicts on claims, files of results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Protocol, TypeVar

import hfmusic
from hfmusic.files import write_atomic
from hfmusic.reproduce.findings import Finding
from hfmusic.reproduce.report import read_results

Results = Mapping[str, Sequence[Mapping[str, Any]]]  # by cell: what each seed's run of it wrote


class Named(Protocol):
    """A cell of a table."""

    @property
    def name(self) -> str: ...


Cells = TypeVar("Cells", bound=Named)


def called(cells: Sequence[Cells], patterns: Sequence[str]) -> list[Cells]:
    """The cells whose names match a pattern; all, without any.

    Raises:
        ValueError: a pattern that matches nothing.
    """
    for pattern in patterns:
        if not any(fnmatchcase(cell.name, pattern) for cell in cells):
            raise ValueError(f"no cell is called {pattern!r}; there are {', '.join(cell.name for cell in cells)}")
    return [cell for cell in cells if not patterns or any(fnmatchcase(cell.name, one) for one in patterns)]


@dataclass(frozen=True)
class Claim:
    """`first` is more than `second`, both in percent, of one seed's results by cell."""

    claim: str
    rule: str
    first: Callable[[Mapping[str, Any]], float]
    second: Callable[[Mapping[str, Any]], float]


def judge(results: Results, claimed: Sequence[Claim]) -> list[Finding]:
    """The verdict on every claim, as `hfmusic.reproduce.findings` has it: of the means, and of every seed."""
    seeds: dict[int, dict[str, Any]] = {}
    for name, runs in results.items():
        for run in runs:
            seeds.setdefault(run["seed"], {})[name] = run
    return [judge_claim(claim, seeds) for claim in claimed]


def judge_claim(claim: Claim, seeds: Mapping[int, Mapping[str, Any]]) -> Finding:
    """The verdict on a claim, of results by seed and cell. Seeds that lack a number of it are left out."""
    pairs = []
    for cells in seeds.values():
        try:
            pairs.append((claim.first(cells), claim.second(cells)))
        except (KeyError, ZeroDivisionError):  # a cell or its curve is not there yet
            continue
    if not pairs:
        return Finding(claim.claim, claim.rule, "not measured")
    means = [sum(column) / len(pairs) for column in zip(*pairs, strict=True)]
    each = [first > second for first, second in pairs]
    verdict = "does not hold" if means[0] <= means[1] else "holds" if all(each) else "mostly holds"
    numbers = f"{means[0]:.1f} % and {means[1]:.1f} % (true for {sum(each)} of {len(each)} seeds)"
    return Finding(claim.claim, claim.rule, verdict, numbers)


@dataclass(frozen=True)
class Report:
    """How a paper's results are told.

    Attributes:
        paper: its name.
        claims: what it concludes.
        summary: a cell's runs as results.json has them.
        markdown: results.md of the results, the findings and what results.json holds.
        figure: results.png.
    """

    paper: str
    claims: Callable[[], list[Claim]]
    summary: Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]
    markdown: Callable[[Results, list[Finding], dict[str, Any]], str]
    figure: Callable[[Results], bytes]

    def write(self, out: Path, *, scale: str, command: str, about: Mapping[str, Any]) -> dict[str, Any]:
        """Write results.json, results.md and results.png from the cells that are done; what results.json holds."""
        results = read_results(out)
        findings = judge(results, self.claims())
        summary = {
            "paper": self.paper,
            "scale": scale,
            "command": command,
            "date": datetime.now(UTC).date().isoformat(),
            "version": hfmusic.__version__,
            **about,
            "cells": {name: self.summary(runs) for name, runs in results.items()},
            "findings": [asdict(finding) for finding in findings],
        }
        write_atomic(out / "results.json", json.dumps(summary, indent=1) + "\n")
        write_atomic(out / "results.md", self.markdown(results, findings, summary))
        write_atomic(out / "results.png", self.figure(results))
        return summary
