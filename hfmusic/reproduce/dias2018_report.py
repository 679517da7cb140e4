"""What a reproduction of paper 004 adds up to: table 2 with a row for each cause that is mended, and findings."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfmusic.reproduce.comparisons import Claim, Report, Results
from hfmusic.reproduce.dias2018 import CELLS, MENDED
from hfmusic.reproduce.dias2018_numbers import CANDIDATES, TABLE_2
from hfmusic.reproduce.findings import Finding
from hfmusic.reproduce.report import mean_and_spread

SCORES = {"r@1": "R@1", "r@25": "R@25", "mrr": "MRR", "median_rank": "MR", "tm": "TM"}
DIGITS = {"r@1": 4, "r@25": 3, "mrr": 3, "median_rank": 0, "tm": 3}
NEAR_CHANCE = 1.5  # times the chance of MRR: no better


def score_of(run: Mapping[str, Any], name: str) -> float:
    """A score of a run, audio to roll; "chance_..." of drawing by lot."""
    if name.endswith("tm"):
        return float(run["overlap"]["chance" if name.startswith("chance_") else ""]["tm"])
    return float(run["retrieval"]["audio_to_roll"][name])


def _percent(cell: str, name: str = "r@25", times: float = 1.0) -> Callable[[Mapping[str, Any]], float]:
    return lambda results: 100 * times * score_of(results[cell], name)


def claims() -> list[Claim]:
    """What the causes are held to be, as comparisons."""
    cells = [cell.name for cell in CELLS if cell.name != "untrained"]
    before = dict(zip(cells[1:], cells, strict=False))
    rule = "R@25: {} > {}"
    found = [
        Claim(
            "As published it is no better than chance",
            f"MRR: {NEAR_CHANCE} times chance > paper",
            _percent("paper", "chance_mrr", NEAR_CHANCE),
            _percent("paper", "mrr"),
        )
    ]
    for name, title in MENDED.items():
        first, second = (before[name], name) if name == "split" else (name, before[name])
        words = "The leaked split flatters" if name == "split" else f"It helps: {title}"
        found.append(Claim(words, rule.format(first, second), _percent(first), _percent(second)))
    last = cells[-1]
    return [
        *found,
        Claim(
            "Mended it finds the right roll",
            f"MRR: {last} > ten times chance",
            _percent(last, "mrr"),
            _percent(last, "chance_mrr", 10.0),
        ),
        Claim(
            "Evaluation mode alone is the first cause: without it nothing else would show",
            f"R@25: eval > {NEAR_CHANCE} times paper",
            _percent("eval"),
            _percent("paper", times=NEAR_CHANCE),
        ),
    ]


def write_report(out: Path, *, scale: str, command: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write the results of the cells that are done, see `Report.write`."""
    return Report("dias2018", claims, _summary, markdown, figure).write(out, scale=scale, command=command, about=about)


def _summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A cell over its seeds."""
    scores = {}
    for name in (*SCORES, "r@5"):
        values = [score_of(run, name) for run in runs]
        mean, spread = mean_and_spread(values)
        seeds = {str(run["seed"]): value for run, value in zip(runs, values, strict=True)}
        scores[name] = {"mean": mean, "spread": spread, "chance": score_of(runs[0], f"chance_{name}"), "seeds": seeds}
    kept = ("parameters", "steps", "batch_size", "windows", "unique", "candidates")
    return {**{key: runs[0][key] for key in kept}, "minutes": [run["minutes"] for run in runs], "scores": scores}


def markdown(results: Results, findings: Sequence[Finding], summary: Mapping[str, Any]) -> str:
    """results.md."""
    counts, folders = summary.get("pieces", {}), [Path(folder).name for folder in summary.get("data", ())]
    lines = [
        f"# Paper 004 (Dias Neto et al.), table 2, scale {summary['scale']}: why it failed",
        "",
        f"`{summary['command']}`; {summary['date']}, hfmusic {summary['version']}.",
        f"{summary.get('note', '')} Each row mends one cause more than the one above it. All are measured on the same "
        "rolls, which all differ, of the same pieces; means over seeds (and ± standard deviation, where there are "
        "several); the paper's in italics.",
        "",
        f"Data: {' and '.join(folders)}, {counts.get('train', '?')} pieces to train on, {counts.get('test', '?')} "
        f"others to measure on; until the split is mended, {counts.get('leaked', '?')} with the latter among them, "
        "whose windows are then seen a step beside those measured.",
        "",
        *_table(results),
        "",
        "TM is the Jaccard index of the nearest roll and the right one (`hfmusic.metrics.rolls`); its chance is of a "
        f"roll drawn by lot. The paper prints a base of 2000; that of its code held {CANDIDATES} (the chance of its "
        f"median rank, {(CANDIDATES + 1) / 2:.1f}, is what it prints).",
        "",
        "![R@25 and MRR, row by row](results.png)",
        "",
        "## Which causes show",
        "",
        "| claim | verdict | compared | rule |",
        "|---|---|---|---|",
    ]
    lines += [f"| {one.claim} | **{one.verdict}** | {one.numbers} | {one.rule} |" for one in findings]
    lines += [
        "",
        "A claim holds if its rule is true of the means and of every seed, mostly holds if of the means only.",
    ]
    return "\n".join(lines) + "\n"


def _table(results: Results) -> list[str]:
    lines = [
        "| | " + " | ".join(SCORES.values()) + " | TM, roll not in the base | candidates |",
        "|---|" + "---:|" * (len(SCORES) + 2),
    ]
    for cell in CELLS:
        runs = results.get(cell.name, ())
        ours = [_value([score_of(run, name) for run in runs], name) for name in SCORES]
        without = _value([run["overlap"]["_without_roll"]["tm"] for run in runs], "tm")
        count = str(runs[0]["candidates"]) if runs else "-"
        lines.append(f"| {cell.title} | " + " | ".join([*ours, without, count]) + " |")
        if cell.name in TABLE_2:
            theirs = zip(TABLE_2[cell.name], SCORES, strict=True)
            cells = [f"*{value:.{DIGITS[name]}f}*" for value, name in theirs]
            lines.append("| *paper* | " + " | ".join(cells) + f" | | *{CANDIDATES}* |")
    last = next((results[cell.name][0] for cell in reversed(CELLS) if cell.name in results), None)
    if last is not None:
        chance = [_value([score_of(last, f"chance_{name}")], name) for name in SCORES]
        lines.append("| chance | " + " | ".join(chance) + f" | | {last['candidates']} |")
    return lines


def _value(values: Sequence[float], name: str) -> str:
    if not values:
        return "-"
    mean, spread = mean_and_spread(values)
    return f"{mean:.{DIGITS[name]}f}" + (f" ± {spread:.{DIGITS[name]}f}" if len(values) > 1 else "")


def figure(results: Results) -> bytes:
    """R@25 and MRR of the cells, and their chance, PNG."""
    from matplotlib.figure import Figure

    page = Figure(figsize=(9, 0.6 + 0.45 * len(CELLS)), layout="constrained")
    axes = page.subplots()
    cells = [cell for cell in CELLS if cell.name in results]
    for shift, name, colour in ((-0.2, "r@25", "C0"), (0.2, "mrr", "C1")):
        values = [mean_and_spread([score_of(run, name) for run in results[cell.name]])[0] for cell in cells]
        axes.barh([place + shift for place in range(len(cells))], values, 0.4, label=SCORES[name], color=colour)
        if cells:
            chance = score_of(results[cells[0].name][0], f"chance_{name}")
            axes.axvline(chance, color=colour, linestyle="--", label=f"{SCORES[name]}, chance")
    axes.set_yticks(range(len(cells)), [cell.title for cell in cells])
    axes.set(xlim=(0, 1), title="Table 2 of paper 004, mended")
    axes.invert_yaxis()
    if cells:
        axes.legend()
    file = io.BytesIO()
    page.savefig(file, dpi=120, format="png")
    return file.getvalue()
