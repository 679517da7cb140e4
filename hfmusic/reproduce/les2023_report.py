"""What a reproduction of paper 001 adds up to: tables with the paper's numbers below ours, figure 3, findings."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfmusic.reproduce.comparisons import Claim, Report, Results
from hfmusic.reproduce.findings import Finding
from hfmusic.reproduce.les2023 import CELLS, MEASURES, REAL, TITLES, mean_of
from hfmusic.reproduce.les2023_numbers import TABLES
from hfmusic.reproduce.report import mean_and_spread

HEADS = {"frame": "Table 1: frames", "note": "Table 2: notes", "note_offset": "Table 3: notes with offsets"}


def _note(cell: str, name: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda results: 100 * mean_of(results[cell], name, "note", "f1")


def _early(cell: str, name: str) -> Callable[[Mapping[str, Any]], float]:
    """Mean note F1 on validation recordings over the first half of a training."""

    def mean(results: Mapping[str, Any]) -> float:
        curve = results[cell]["curve"]
        values = [point[f"note/{name}"] for point in curve[: max(1, len(curve) // 2)]]
        return sum(values) / len(values)

    return mean


def claims() -> list[Claim]:
    """What the paper concludes (sections 4.2 to 4.4), as comparisons."""
    test, early = "note F1 on {}'s test set: {} > {}", "figure 3, note F1 on {} in the first half: {} > {}"
    rows = [
        (
            "Synthesized sound alone transcribes real pianos better than real guitars do",
            "maps",
            "synthesized",
            "guitarset",
        ),
        (
            "Real pianos alone transcribe real guitars better than synthesized sound does",
            "guitarset",
            "maps",
            "synthesized",
        ),
        ("Pre-training on synthesized sound helps on pianos", "maps", "synthesized-maps", "maps"),
        ("On pianos it helps more than pre-training on guitars", "maps", "synthesized-maps", "guitarset-maps"),
        ("On guitars no pre-training helps: synthesized", "guitarset", "guitarset", "synthesized-guitarset"),
        ("On guitars no pre-training helps: pianos", "guitarset", "guitarset", "maps-guitarset"),
    ]
    found = [
        Claim(claim, test.format(TITLES[on], one, two), _note(one, on), _note(two, on)) for claim, on, one, two in rows
    ]
    rows = [
        (
            "Pre-training on synthesized sound learns pianos faster than starting afresh",
            "maps",
            "synthesized-maps",
            "maps",
        ),
        ("... and faster than pre-training on guitars", "maps", "synthesized-maps", "guitarset-maps"),
        ("... and guitars faster than starting afresh", "guitarset", "synthesized-guitarset", "guitarset"),
    ]
    return found + [
        Claim(claim, early.format(TITLES[on], one, two), _early(one, on), _early(two, on))
        for claim, on, one, two in rows
    ]


def write_report(out: Path, *, scale: str, command: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write the results of the cells that are done, see `Report.write`."""
    return Report("les2023", claims, _summary, markdown, figure).write(out, scale=scale, command=command, about=about)


def _summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A cell over its seeds: means of every measure, and what it cost."""
    scores = {}
    for name in REAL:
        for level in TABLES:
            for measure in MEASURES:
                values = [mean_of(run, name, level, measure) for run in runs]
                mean, spread = mean_and_spread(values)
                seeds = {str(run["seed"]): round(value, 5) for run, value in zip(runs, values, strict=True)}
                scores[f"{name}/{level}_{measure}"] = {"mean": mean, "spread": spread, "seeds": seeds}
    kept = ("parameters", "steps", "batch_size", "seconds")
    minutes = [run["minutes"] for run in runs]
    recordings = {name: len(runs[0]["tests"][name]) for name in REAL}
    about = {key: runs[0][key] for key in kept} | {"minutes": round(sum(minutes) / len(minutes), 2)}
    return {**about, "test_recordings": recordings, "scores": scores}


def markdown(results: Results, findings: Sequence[Finding], summary: Mapping[str, Any]) -> str:
    """results.md."""
    lines = [
        f"# Paper 001 (Leś and Woźniak 2023), tables 1 to 3 and figure 3, scale {summary['scale']}",
        "",
        f"`{summary['command']}`; {summary['date']}, hfmusic {summary['version']}.",
        f"Protocol {summary['protocol']}. Precision, recall and F1 by mir_eval, means over test recordings (and ± "
        "standard deviation over seeds, where there are several); the paper's in italics.",
        "",
        *_data(summary),
    ]
    for level, head in HEADS.items():
        lines += ["", f"## {head}", "", *_table(results, level)]
    lines += ["", "## Figure 3: validation while training", "", "![Note F1 on validation recordings](results.png)"]
    lines += ["", "## Which findings hold", "", "| claim | verdict | compared | rule |", "|---|---|---|---|"]
    lines += [f"| {one.claim} | **{one.verdict}** | {one.numbers} | {one.rule} |" for one in findings]
    lines += [
        "",
        "A claim holds if its rule is true of the means and of every seed, mostly holds if of the means only.",
    ]
    return "\n".join(lines) + "\n"


def _data(summary: Mapping[str, Any]) -> list[str]:
    lines = [
        "| set | folder | train | of compositions that are tested | validation | test |",
        "|---|---|" + "---:|" * 4,
    ]
    for name, counts in summary["recordings"].items():
        dropped = f"{counts.get('tested', '-')}" + (" (dropped)" if summary["protocol"] == "leak-free" else " (kept)")
        cells = [TITLES[name], Path(summary["data"][name]).name, counts.get("train", "-"), dropped]
        lines.append(
            "| " + " | ".join(map(str, [*cells, counts.get("validation", "-"), counts.get("test", "-")])) + " |"
        )
    return lines


def _table(results: Results, level: str) -> list[str]:
    heads = [f"{TITLES[name]} {measure}" for name in REAL for measure in ("P", "R", "F1")]
    lines = ["| trained on | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for cell in CELLS:
        runs = results.get(cell.name, ())
        ours = [_value([mean_of(run, name, level, measure) for run in runs]) for name in REAL for measure in MEASURES]
        theirs = [f"*{value:.3f}*" for name in REAL for value in TABLES[level][cell.name][name]]
        lines.append(f"| {cell.title} | " + " | ".join(ours) + " |")
        lines.append("| *paper* | " + " | ".join(theirs) + " |")
    return lines


def _value(values: Sequence[float]) -> str:
    if not values:
        return "-"
    mean, spread = mean_and_spread(values)
    return f"{mean:.3f}" + (f" ± {spread:.3f}" if len(values) > 1 else "")


def figure(results: Results) -> bytes:
    """Note F1 on each real set's validation recordings against steps, PNG: the networks trained on that set."""
    from matplotlib.figure import Figure

    page = Figure(figsize=(11, 4.5), layout="constrained")
    for axes, name in zip(page.subplots(1, 2, sharey=True), REAL, strict=True):
        for cell in (one for one in CELLS if one.target == name):
            runs = [run["curve"] for run in results.get(cell.name, ()) if run["curve"]]
            if runs:
                points = [
                    (point["step"], [run[place][f"note/{name}"] for run in runs]) for place, point in enumerate(runs[0])
                ]
                steps, values = zip(*points, strict=True)
                axes.plot(steps, [sum(row) / len(row) for row in values], marker="o", markersize=3, label=cell.title)
        axes.set(title=f"validated on {TITLES[name]}", xlabel="steps", ylim=(0, 100))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend()
    page.axes[0].set_ylabel("note F1, %")
    file = io.BytesIO()
    page.savefig(file, dpi=120, format="png")
    return file.getvalue()
