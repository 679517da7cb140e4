"""What a reproduction's cells add up to: results.json, results.md with the paper's numbers beside, and a plot."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hfmusic
from hfmusic.files import write_atomic
from hfmusic.reproduce.cells import (
    BASE,
    DOMAINS,
    FEW_SHOT,
    POLICIES,
    SIZES,
    TRANSFER,
    few_shot_name,
    table_cells,
)
from hfmusic.reproduce.findings import Finding, judge
from hfmusic.reproduce.paper import NUMBERS

Results = Mapping[str, Sequence[Mapping[str, Any]]]  # by cell: what each seed's run of it wrote


def read_results(out: Path) -> dict[str, list[dict[str, Any]]]:
    """The results of all cells and seeds in a folder, by cell, seeds ascending."""
    found: dict[str, list[dict[str, Any]]] = {}
    folders = sorted(out.glob("seed*"), key=lambda folder: int(folder.name.removeprefix("seed") or -1))
    for folder in folders:
        for file in sorted(folder.glob("*.json")):
            result = json.loads(file.read_text(encoding="utf-8"))
            found.setdefault(result["cell"], []).append(result)
    return found


def write_report(out: Path, *, scale: str, command: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write results.json, results.md and results.png from the cells that are done; what results.json holds."""
    results = read_results(out)
    findings = judge(rates_by_seed(results))
    summary = {
        "paper": "smc2022",
        "scale": scale,
        "commands": [*(one for one in _earlier_commands(out) if one != command), command],
        "date": datetime.now(UTC).date().isoformat(),
        "version": hfmusic.__version__,
        **about,
        "cells": {name: _cell_summary(name, runs) for name, runs in results.items()},
        "findings": [asdict(finding) for finding in findings],
    }
    write_atomic(out / "results.json", json.dumps(summary, indent=1) + "\n")
    write_atomic(out / "results.md", markdown(results, findings, summary))
    if results:
        plot(results, out / "results.png")
    return summary


def _earlier_commands(out: Path) -> list[str]:
    """The commands whose cells are in the folder already."""
    file = out / "results.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return list(before.get("commands", []))


def rates_by_seed(results: Results) -> dict[int, dict[str, dict[str, float]]]:
    """SER of every cell and domain, by seed."""
    seeds: dict[int, dict[str, dict[str, float]]] = {}
    for name, runs in results.items():
        for run in runs:
            seeds.setdefault(run["seed"], {})[name] = dict(run["ser"])
    return dict(sorted(seeds.items()))


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation, 0 for one value.

    >>> mean_and_spread([1.0, 3.0])
    (2.0, 1.4142135623730951)
    """
    mean = sum(values) / len(values)
    if len(values) == 1:
        return mean, 0.0
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _cell_summary(name: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    kept = ("table", "domain", "method", "policy", "size", "steps", "batch_size", "staves", "transfer")
    ser = {}
    for domain in runs[0]["ser"]:
        mean, spread = mean_and_spread([run["ser"][domain] for run in runs])
        ser[domain] = {"mean": mean, "spread": spread, "seeds": {str(run["seed"]): run["ser"][domain] for run in runs}}
    minutes = [run["minutes"] for run in runs]
    return {
        **{key: runs[0][key] for key in kept if key in runs[0]},
        "ser": ser,
        "validation_ser": {str(run["seed"]): run.get("validation_ser") for run in runs},
        "minutes": round(sum(minutes) / len(minutes), 2),
        "paper": NUMBERS.get(name),
    }


def markdown(results: Results, findings: Sequence[Finding], summary: Mapping[str, Any]) -> str:
    """results.md."""
    seeds = sorted({run["seed"] for runs in results.values() for run in runs})
    staves = summary.get("staves", {})
    lines = [
        f"# Paper 000 (SMC 2022), tables 2 and 3, scale {summary['scale']}",
        "",
        f"{', '.join(f'`{command}`' for command in summary['commands'])}; {summary['date']}, "
        f"hfmusic {summary['version']}, seeds {', '.join(map(str, seeds))}.",
        f"{summary.get('note', '')}",
        f"Staves: {staves.get('train', '?')} to train on, {staves.get('validation', '?')} to choose the best weights "
        f"by, {staves.get('test', '?')} to measure on, the same in both domains. Symbol error rate in percent, greedy "
        "decoding; mean ± standard deviation over seeds; in parentheses the paper's.",
        "",
        "## Table 2: transfer from all staves",
        "",
        *_table_2(results),
        "",
        "## Table 3: small training sets",
        "",
        *_table_3(results),
        "",
        "![Symbol error rate by size of the training set](results.png)",
        "",
        "## Which findings hold",
        "",
        *_findings(findings),
        "",
        "## Steps and minutes",
        "",
        *_costs(results),
    ]
    return "\n".join(lines) + "\n"


def _rate(results: Results, cell: str, domain: str) -> str:
    """`mean ± spread (paper's)`, or a dash where it is not measured."""
    runs = [run["ser"][domain] for run in results.get(cell, ()) if domain in run["ser"]]
    theirs = NUMBERS.get(cell, {}).get(domain)
    paper = "" if theirs is None else f" ({theirs:.1f})"
    if not runs:
        return f"-{paper}"
    mean, spread = mean_and_spread(runs)
    return f"{mean:.1f}" + (f" ± {spread:.1f}" if len(runs) > 1 else "") + paper


def _rows(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [
        "| " + " | ".join(head) + " |",
        "|" + "---|" + "---:|" * (len(head) - 1),
        *("| " + " | ".join(row) + " |" for row in rows),
    ]


def _table_2(results: Results) -> list[str]:
    names = [cell.name for cell in table_cells("2")]
    titles = {"omr": "base OMR", "amt": "base AMT"}
    for domain in DOMAINS:
        short = TRANSFER[domain][0]
        arrow = "audio → image" if domain == "image" else "image → audio"
        titles |= {name: f"{arrow}, {policy}" for name, policy in zip(_of(names, short), POLICIES, strict=True)}
    names += ["omr-same", "amt-same", "a2i-long", "i2a-long", "multitask"]
    titles |= {
        "omr-same": "base OMR, a transfer's steps",
        "amt-same": "base AMT, a transfer's steps",
        "a2i-long": "audio → image, N/A, a base's steps",
        "i2a-long": "image → audio, 5:5, a base's steps",
        "multitask": "one network, two fronts",
    }
    rows = [[titles[name], *(_rate(results, name, domain) for domain in DOMAINS)] for name in names]
    fused = [key for run in results.get("fusion", ())[:1] for key in run["ser"] if key not in DOMAINS]
    rows += [[f"late {key}", f"both: {_rate(results, 'fusion', key)}", ""] for key in fused]
    return _rows(["network", "images", "audio"], rows)


def _of(names: Iterable[str], short: str) -> list[str]:
    return [name for name in names if name.startswith(f"{short}-")]


def _table_3(results: Results) -> list[str]:
    rows = []
    for domain in DOMAINS:
        base, moved = BASE[domain], TRANSFER[domain][0]
        policy = TRANSFER[domain][1]
        kinds = [(base, f"{domain}: base"), (moved, f"{domain}: transfer, {policy}")]
        kinds += [(few_shot_name(method, domain), f"{domain}: {method}") for method in FEW_SHOT]
        rows += [[title, *(_rate(results, f"{name}-{size}", domain) for size in SIZES)] for name, title in kinds]
    return _rows(["training staves", *map(str, SIZES)], rows)


def _findings(findings: Sequence[Finding]) -> list[str]:
    rows = [[finding.claim, f"**{finding.verdict}**", finding.numbers, finding.rule] for finding in findings]
    return [
        "| claim | verdict | mean SER compared | rule |",
        "|---|---|---|---|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "A claim holds if its rule is true of the means and of every seed, mostly holds if of the means only.",
    ]


def _costs(results: Results) -> list[str]:
    kinds: dict[tuple[str, int, int], list[float]] = {}
    for runs in results.values():
        for run in runs:
            if run["steps"]:
                size = "few" if run["size"] is not None else "all"
                key = (f"{run['method']}, {size} staves", run["steps"], run["batch_size"])
                kinds.setdefault(key, []).append(run["minutes"])
    rows = [
        [kind, str(len(minutes)), str(steps), str(batch), f"{sum(minutes) / len(minutes):.1f}"]
        for (kind, steps, batch), minutes in kinds.items()
    ]
    return _rows(["cells", "runs", "steps", "batch", "minutes each"], rows)


def plot(results: Results, path: Path) -> None:
    """SER by size of the training set, one panel a domain, ours and the paper's."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for axes, domain in zip(figure.subplots(1, 2, sharey=True), DOMAINS, strict=True):
        _panel(axes, results, domain)
    file = io.BytesIO()
    figure.savefig(file, dpi=120, format="png")
    write_atomic(path, file.getvalue())


def _panel(axes: Any, results: Results, domain: str) -> None:
    base, moved = BASE[domain], TRANSFER[domain][0]
    curves = {"base": base, f"transfer, {TRANSFER[domain][1]}": moved}
    curves |= {method: few_shot_name(method, domain) for method in FEW_SHOT}
    for number, (title, name) in enumerate(curves.items()):
        sizes = [size for size in SIZES if f"{name}-{size}" in results]
        if not sizes:
            continue
        pairs = [mean_and_spread([run["ser"][domain] for run in results[f"{name}-{size}"]]) for size in sizes]
        means, spreads = zip(*pairs, strict=True)
        axes.errorbar(sizes, means, yerr=spreads, marker="o", capsize=3, color=f"C{number}", label=title)
    for number, name in enumerate((base, moved)):
        theirs = [NUMBERS[f"{name}-{size}"][domain] for size in SIZES]
        axes.plot(
            SIZES, theirs, "--", color=f"C{number}", alpha=0.5, label=f"paper: {'transfer' if number else 'base'}"
        )
    axes.set(title=f"tested on {domain}", xscale="log", xlabel="training staves", ylim=(0, 105))
    axes.set_xticks(SIZES, [str(size) for size in SIZES])
    axes.minorticks_off()
    axes.set_ylabel("symbol error rate, %")
    axes.legend(fontsize=8)
