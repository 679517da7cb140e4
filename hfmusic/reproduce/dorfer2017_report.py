"""What a reproduction of paper 003 adds up to: tables 2 and 3, the paper's numbers below ours, figure 7, findings."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hfmusic.reproduce.comparisons import Claim, Report, Results
from hfmusic.reproduce.dorfer2017 import CELLS, LINES, WARPS
from hfmusic.reproduce.dorfer2017_numbers import CANDIDATES, FIGURE_7, RANDOM, TABLE_2, TABLE_3
from hfmusic.reproduce.findings import Finding
from hfmusic.reproduce.report import mean_and_spread

DIRECTIONS = {"audio_to_sheet": "audio → sheet", "sheet_to_audio": "sheet → audio"}
SCORES = {"r@1": "R@1", "r@10": "R@10", "r@25": "R@25", "median_rank": "MR"}
QUERIES = {"recording": "whole recordings", "part": "20 s of each"}
PLACES = ("R1", "R2", "R3", ">R3")


def score_of(run: Mapping[str, Any], name: str, direction: str = "audio_to_sheet") -> float:
    """A score of a run: recalls in percent, ranks as they are."""
    value = float(run["retrieval"][direction][name])
    return 100 * value if "r@" in name else value


def rank_counts(ranks: Sequence[int]) -> list[int]:
    """How many pieces are ranked first, second, third, and later.

    >>> rank_counts([1, 1, 3, 9])
    [2, 0, 1, 1]
    """
    counts = [sum(rank == place for rank in ranks) for place in (1, 2, 3)]
    return [*counts, len(ranks) - sum(counts)]


def _recall(cell: str, direction: str = "audio_to_sheet", times: float = 1.0) -> Callable[[Mapping[str, Any]], float]:
    return lambda results: times * score_of(results[cell], "r@25", direction)


def _most(*cells: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda results: max(score_of(results[cell], "r@25") for cell in cells)


def _first(cell: str) -> Callable[[Mapping[str, Any]], float]:
    """Pieces ranked first, in percent."""

    def share(results: Mapping[str, Any]) -> float:
        ranks = results[cell]["ranks"]["recording"]
        return 100 * rank_counts(ranks)[0] / len(ranks)

    return share


def _error(method: str, cell: str = "full") -> Callable[[Mapping[str, Any]], float]:
    return lambda results: 100 * results[cell]["alignment"][method]["median"]


def claims() -> list[Claim]:
    """What the paper concludes (sections 4 to 6), as comparisons."""
    rule = "R@25 audio → sheet: {} > {}"
    found = [
        Claim(f"Augmentation helps: {cell.title}", rule.format(cell.name, "none"), _recall(cell.name), _recall("none"))
        for cell in CELLS
        if cell.name != "none"
    ]
    return [
        *found,
        Claim(
            "Of the audio's augmentations, fonts and tempo together are the best",
            rule.format("audio", "the better of fonts and tempo"),
            _recall("audio"),
            _most("fonts", "tempo"),
        ),
        Claim(
            "Of the sheet's augmentations, vertical shifts help most",
            rule.format("dy", "the better of scaling and dx"),
            _recall("dy"),
            _most("scaling", "dx"),
        ),
        Claim(
            "All augmentations together are the best",
            rule.format("full", "the best of the paper's others"),
            _recall("full"),
            _most(*(name for name in TABLE_2 if name != "full")),
        ),
        Claim(
            "The opposite direction works as well",
            "R@25 of full: sheet → audio > two thirds of audio → sheet",
            _recall("full", "sheet_to_audio"),
            _recall("full", times=2 / 3),
        ),
        Claim(
            "Augmentation identifies more pieces",
            "pieces at rank 1 from whole recordings: full > none",
            _first("full"),
            _first("none"),
        ),
        Claim(
            "Weak single queries suffice to identify pieces",
            "of full: pieces at rank 1 from whole recordings > R@25 audio → sheet",
            _first("full"),
            _recall("full"),
        ),
        Claim(
            "DTW on the embedding follows better than a straight line",
            "median error in percent of a page's width: linear > DTW of full",
            _error("linear"),
            _error("dtw"),
        ),
        Claim(
            "... also than one that knows the first and the last onset (our control)",
            "median error in percent of a page's width: line from onset to onset > DTW of full",
            _error("ends"),
            _error("dtw"),
        ),
    ]


def write_report(out: Path, *, scale: str, command: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Write the results of the cells that are done, see `Report.write`."""
    return Report("dorfer2017", claims, _summary, markdown, figure).write(
        out, scale=scale, command=command, about=about
    )


def _summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A cell over its seeds."""
    scores = {}
    for direction in DIRECTIONS:
        for name in (*SCORES, "r@5", "mrr"):
            values = [float(run["retrieval"][direction][name]) for run in runs]
            mean, spread = mean_and_spread(values)
            seeds = {str(run["seed"]): value for run, value in zip(runs, values, strict=True)}
            scores[f"{direction}_{name}"] = {"mean": mean, "spread": spread, "seeds": seeds}
    kept = ("parameters", "steps", "batch_size", "pieces", "unique_pairs")
    minutes = [run["minutes"] for run in runs]
    return {
        **{key: runs[0][key] for key in kept},
        "candidates": runs[0]["retrieval"]["audio_to_sheet"]["candidates"],
        "minutes": round(sum(minutes) / len(minutes), 2),
        "scores": scores,
        "ranks": {kind: {str(run["seed"]): rank_counts(run["ranks"][kind]) for run in runs} for kind in QUERIES},
        "alignment": {str(run["seed"]): run["alignment"] for run in runs if run["alignment"]},
    }


def markdown(results: Results, findings: Sequence[Finding], summary: Mapping[str, Any]) -> str:
    """results.md."""
    counts = summary.get("renditions", {})
    lines = [
        f"# Paper 003 (Dorfer, Arzt and Widmer 2017), tables 2 and 3 and figure 7, scale {summary['scale']}",
        "",
        f"`{summary['command']}`; {summary['date']}, hfmusic {summary['version']}.",
        f"{summary.get('note', '')} All cells have the same network, pieces and steps; means over seeds (and ± "
        "standard deviation, where there are several); the paper's in italics.",
        "",
        f"Data: {Path(str(summary.get('data', '?'))).name}, {counts.get('pieces', '?')} pieces to train on (by cell "
        f"{', '.join(f'{name} {count}' for name, count in counts.get('train', {}).items())} renditions), "
        f"{counts.get('test', '?')} of other works and another font to measure on.",
    ]
    for direction, title in DIRECTIONS.items():
        lines += ["", f"## Table 2: {title}", "", *_table_2(results, direction)]
    lines += ["", "## Table 3: pieces by the rank of the right one", "", *_table_3(results)]
    lines += ["", "## Figure 7: alignment", "", *_figure_7(results), "", "![Alignment errors and recalls](results.png)"]
    lines += ["", "## Which findings hold", "", "| claim | verdict | compared | rule |", "|---|---|---|---|"]
    lines += [f"| {one.claim} | **{one.verdict}** | {one.numbers} | {one.rule} |" for one in findings]
    lines += [
        "",
        "A claim holds if its rule is true of the means and of every seed, mostly holds if of the means only.",
    ]
    return "\n".join(lines) + "\n"


def _table_2(results: Results, direction: str) -> list[str]:
    lines = [
        "| augmentation | " + " | ".join(SCORES.values()) + " | candidates |",
        "|---|" + "---:|" * (len(SCORES) + 1),
    ]
    theirs = direction == "audio_to_sheet"
    for cell in CELLS:
        runs = results.get(cell.name, ())
        ours = [_value([score_of(run, name, direction) for run in runs], name) for name in SCORES]
        count = f"{runs[0]['retrieval'][direction]['candidates']}" if runs else "-"
        lines.append(f"| {cell.title} | " + " | ".join([*ours, count]) + " |")
        if theirs and cell.name in TABLE_2:
            lines.append(_italic("paper", TABLE_2[cell.name]))
    any_run = next((run for runs in results.values() for run in runs), None)
    if any_run is not None:
        chance = [score_of(any_run, f"chance_{name}", direction) for name in SCORES]
        values = [_value([value], name) for value, name in zip(chance, SCORES, strict=True)]
        count = f"{any_run['retrieval'][direction]['candidates']}"
        lines.append("| chance | " + " | ".join([*values, count]) + " |")
    return [*lines, _italic("paper, random", RANDOM)] if theirs else lines


def _italic(title: str, values: Sequence[float]) -> str:
    cells = [f"*{value:.2f}*" for value in values[:-1]] + [f"*{values[-1]:.0f}*", f"*{CANDIDATES}*"]
    return f"| *{title}* | " + " | ".join(cells) + " |"


def _table_3(results: Results) -> list[str]:
    lines = ["| augmentation | query | pieces | " + " | ".join(PLACES) + " |", "|---|---|" + "---:|" * 5]
    for cell in CELLS:
        runs = results.get(cell.name, ())
        for kind, title in QUERIES.items():
            counts = [rank_counts(run["ranks"][kind]) for run in runs]
            means = [_value(column, "count") for column in zip(*counts, strict=True)]
            if runs:
                cells = [cell.title, title, str(runs[0]["pieces"]), *means]
                lines.append("| " + " | ".join(cells) + " |")
        if cell.name in TABLE_3:
            theirs = TABLE_3[cell.name]
            lines.append(
                f"| *paper: {cell.title}* | | *{sum(theirs)}* | " + " | ".join(f"*{n}*" for n in theirs) + " |"
            )
    return lines


def _figure_7(results: Results) -> list[str]:
    lines = [
        "| followed by | onsets | lower quartile | median | upper quartile | paper's median |",
        "|---|" + "---:|" * 5,
    ]
    for cell, method, title in _followers(results):
        scores = [run["alignment"][method] for run in results[cell] if run["alignment"]]
        columns = [
            _value([one[name] for one in scores], "error") for name in ("lower_quartile", "median", "upper_quartile")
        ]
        theirs = FIGURE_7.get(method) if cell == "full" else None
        paper = "-" if theirs is None else f"*{theirs:.3f}*"
        lines.append(f"| {title} | {scores[0]['onsets']} | " + " | ".join([*columns, paper]) + " |")
    return [*lines, "", "Absolute errors at all onsets, in widths of a page (835 pixels)."]


def _followers(results: Results) -> list[tuple[str, str, str]]:
    """(cell, method, title) of what was followed: the lines once, DTW by every cell."""
    cells = [name for name in ("full", "none") if any(run["alignment"] for run in results.get(name, ()))]
    rows = [(cells[0], method, title) for method, title in LINES.items()] if cells else []
    return [*rows, *((cell, method, f"{title}, {cell}") for cell in cells for method, title in WARPS.items())]


def _value(values: Sequence[float], name: str) -> str:
    if not values:
        return "-"
    digits = {"median_rank": 0, "count": 1 if len(values) > 1 else 0, "error": 3}.get(name, 2)
    mean, spread = mean_and_spread(values)
    return f"{mean:.{digits}f}" + (f" ± {spread:.{digits}f}" if len(values) > 1 else "")


def figure(results: Results) -> bytes:
    """Figure 7 as boxes from the 5th to the 95th percentile, and the recalls of table 2, PNG."""
    from matplotlib.figure import Figure

    page = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = page.subplots(1, 2)
    boxes = [
        {**results[cell][0]["alignment"][method]["box"], "label": title, "fliers": []}
        for cell, method, title in _followers(results)
        if results[cell][0]["alignment"]
    ]
    if boxes:
        left.bxp(boxes, showfliers=False, orientation="horizontal")
        left.set(xlabel="error, page widths", title="Alignment (figure 7)")
        left.set_xscale("symlog", linthresh=0.01)
        left.invert_yaxis()
    cells = [cell for cell in CELLS if cell.name in results]
    for shift, (direction, title) in zip((-0.2, 0.2), DIRECTIONS.items(), strict=True):
        values = [[score_of(run, "r@25", direction) for run in results[cell.name]] for cell in cells]
        at = [place + shift for place in range(len(cells))]
        right.barh(at, [sum(row) / len(row) for row in values], height=0.4, label=title)
    right.set_yticks(range(len(cells)), [cell.title for cell in cells])
    right.set(xlabel="R@25, %", title="Table 2")
    right.invert_yaxis()
    if cells:
        page.legend(loc="outside lower right", ncols=2)
    file = io.BytesIO()
    page.savefig(file, dpi=120, format="png")
    return file.getvalue()
