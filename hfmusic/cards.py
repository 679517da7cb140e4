"""A model's card: README.md and .eval_results from one template, its configs, its logs, metrics.json and card.yaml.

card.yaml holds what no file knows: what the model does with a picture or a sound, what it gets wrong, where its data is
from. Numbers are not typed: they are those of metrics.json, beside the command that made each.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from hfmusic.dataset_card import with_statistics
from hfmusic.files import write_atomic
from hfmusic.hub_links import PLACEHOLDER
from hfmusic.packing import join_card, kind_of

# An estimate of what training took: nobody measured it. 480 g/kWh is Ember's mean of the world's electricity in 2023.
WATTS_A_CORE = 15.0
GRAMS_PER_KWH = 480.0
_NEEDED = (
    "title",
    "license",
    "takes",
    "tags",
    "about",
    "results",
    "mistakes",
    "training",
    "effort",
    "not_for",
    "cites",
)
_NAMES = {
    "symbol_error_rate": "Symbol error rate",
    "sequence_error_rate": "Sequence error rate",
    "audible_symbol_error_rate": "Symbol error rate of what is heard",
}


def write_card(folder: str | Path) -> list[Path]:
    """Write the card of a model (README.md, .eval_results/hfmusic.yaml), or bring that of a built dataset up to date.

    Returns:
        the files written.

    Raises:
        ValueError: a file is missing or lacks something; one sentence that names it.
    """
    folder = Path(folder)
    kind = kind_of(folder)
    if kind == "dataset":
        readme = folder / "README.md"
        return [write_atomic(readme, with_statistics(readme.read_text(encoding="utf-8"), folder))]
    if kind != "model":
        raise ValueError(f"{folder}: the card of a Space is written by hand")
    written = [write_atomic(folder / "README.md", model_card(folder))]
    entries = eval_results(_read(folder / "metrics.json"))
    if entries:
        text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True)
        written.append(write_atomic(folder / ".eval_results" / "hfmusic.yaml", text))
    return written


def model_card(folder: Path) -> str:
    """The text of a model's README.md, metadata first.

    Raises:
        ValueError: as `write_card`.
    """
    from jinja2 import Environment, StrictUndefined, UndefinedError

    card = _card_yaml(folder / "card.yaml")
    metrics, recipe = _read(folder / "metrics.json"), _read(folder / "train_config.json")
    effort = _effort(card["effort"])
    source = (resources.files("hfmusic") / "templates" / "model_card.md").read_text(encoding="utf-8")
    environment = Environment(autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string(source)
    known = {
        "name": folder.resolve().name,
        "card": {"after_usage": "", "model": "", "usage": "", "gives": ""} | card,
        "results": results_table(card["results"], metrics, folder),
        "data": card.get("data", []),
        "facts": _facts(folder, recipe),
        "effort": effort,
        "citation": citations(card["cites"]),
    }
    try:
        body = template.render(known)
    except UndefinedError as error:
        raise ValueError(f"{folder / 'card.yaml'}: {error}") from None
    return join_card(_metadata(folder.resolve().name, card, metrics, effort), "\n" + body)


def results_table(results: Mapping[str, Any], metrics: Sequence[dict[str, Any]], folder: Path) -> str:
    """The table of results: a row for each of `rows`, its `labels` as they are, then n, the values of `columns` (of the
    model, or of a `peer` beside it), and the command.

    Raises:
        ValueError: metrics.json has no such number.
    """
    labels = list(dict.fromkeys(name for row in results["rows"] for name in row["labels"]))
    columns = results["columns"]
    head = [*labels, "n", *(column["title"] for column in columns), "command"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    peers = {column["peer"] for column in columns if "peer" in column}
    tables = {peer: _read(folder.parent / peer / "metrics.json") for peer in peers}
    for row in results["rows"]:
        values = []
        for column in columns:
            peer = column.get("peer")
            values.append(_found(tables[peer] if peer else metrics, column["metric"], row["where"], peer or folder))
        first = _found(metrics, columns[0]["metric"], row["where"], folder)
        cells = [row["labels"].get(name, "") for name in labels] + [f"{first['n']:,}"]
        cells += [_shown(value, column) for value, column in zip(values, columns, strict=True)]
        lines.append(f"| {' | '.join(cells)} | `{first['command']}` |")
    return "\n".join(lines)


def eval_results(metrics: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """metrics.json as `.eval_results` has it: rows on datasets of hfmusic build; not those on folders of pairs, which
    are on no Hub.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

    entries = [
        EvalResultEntry(
            dataset_id=f"{PLACEHOLDER}{row['dataset']}",
            task_id=_task(row),
            value=round(row["value"], 4),
            date=row["date"],
            notes=f"{_NAMES.get(row['metric'], row['metric'])}, {row['unit']}; n={row['n']}; {row['command']}",
        )
        for row in metrics
        if f"dist/{row['dataset']}" in row["command"]
    ]
    return list(eval_result_entries_to_yaml(entries))


def citations(names: Sequence[str]) -> str:
    """BibTeX of papers by their short names.

    Raises:
        ValueError: an unknown name.
    """
    known = yaml.safe_load((resources.files("hfmusic") / "templates" / "citations.yaml").read_text(encoding="utf-8"))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"cites must be of {', '.join(known)}, got {unknown[0]!r}")
    return "```bibtex\n" + "\n".join(known[name].strip() for name in names) + "\n```"


def _metadata(
    name: str, card: Mapping[str, Any], metrics: Sequence[dict[str, Any]], effort: Mapping[str, Any]
) -> dict[str, Any]:
    """The card's metadata, in the Hub's order of things."""
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type=card.get("pipeline_tag") or "other",
            dataset_type=f"{PLACEHOLDER}{row['dataset']}"
            if f"dist/{row['dataset']}" in row["command"]
            else row["dataset"],
            dataset_name=row["dataset"],
            dataset_config=", ".join(str(row[key]) for key in ("image", "method") if row.get(key)) or None,
            dataset_split=row["split"],
            metric_type=row["metric"],
            metric_name=f"{_NAMES.get(row['metric'], row['metric'])}, {row['unit']}",
            metric_value=round(row["value"], 4),
        )
        for row in metrics
    ]
    data = ModelCardData(
        license=card["license"],
        library_name="transformers",
        pipeline_tag=card.get("pipeline_tag"),
        tags=list(card["tags"]),
        datasets=[f"{PLACEHOLDER}{row['name']}" for row in card.get("data", [])] or None,
        base_model=f"{PLACEHOLDER}{card['base_model']}" if "base_model" in card else None,
        model_name=name,
        eval_results=results or None,
        co2_eq_emissions={
            "emissions": effort["grams"],
            "source": f"estimated: {effort['watts']} W a core, {effort['grams_per_kwh']} g/kWh",
            "training_type": "training",
            "hardware_used": effort["hardware"],
        },
    )
    return dict(data.to_dict())


def _facts(folder: Path, recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What the weights, the recipe and the log of the last run say."""
    log = _read(folder / "training_log.json")
    weights = folder / "model.safetensors"
    parameters, kinds = _parameters(weights)
    return {
        "parameters": f"{parameters:,}",
        "weights": f"{', '.join(kinds)}, {weights.stat().st_size / 1e6:.1f} MB",
        "steps": f"{log['log'][-1]['step']:,}",
        "minutes": f"{max(row['minutes'] for row in log['log']):.0f}",
        "batch_size": recipe["batch_size"],
        "seed": recipe["seed"],
        "date": datetime.fromisoformat(log["date"]).date().isoformat(),
    }


def _parameters(weights: Path) -> tuple[int, list[str]]:
    """How many trained values a file of weights holds, and in which types; statistics of normalization are none."""
    from safetensors import safe_open

    count, kinds = 0, set()
    with safe_open(weights, "np") as file:
        for name in file.keys():  # noqa: SIM118  (a handle, no mapping)
            part = file.get_slice(name)
            if not name.rsplit(".", 1)[-1].startswith(("running_", "num_batches")):
                size = 1
                for length in part.get_shape():
                    size *= length
                count += size
                kinds.add(part.get_dtype())
    return count, sorted(kinds)


def _effort(given: Mapping[str, Any]) -> dict[str, Any]:
    hours = given["core_minutes"] / 60
    watt_hours = hours * WATTS_A_CORE
    numbers = {"watt_hours": f"{watt_hours:.0f}", "grams": round(watt_hours / 1000 * GRAMS_PER_KWH, 1)}
    return {**given, **numbers, "watts": f"{WATTS_A_CORE:.0f}", "grams_per_kwh": f"{GRAMS_PER_KWH:.0f}"}


def _found(metrics: Sequence[dict[str, Any]], metric: str, where: Mapping[str, Any], place: object) -> dict[str, Any]:
    for row in metrics:
        if row["metric"] == metric and all(row.get(key) == value for key, value in where.items()):
            return row
    wanted = ", ".join(f"{key} {value}" for key, value in where.items())
    raise ValueError(f"{place}: metrics.json has no {metric} of {wanted}")


def _shown(row: Mapping[str, Any], column: Mapping[str, Any]) -> str:
    digits = column.get("digits", 2)
    return f"{row['value']:.{digits}f} %" if row["unit"] == "%" else f"{row['value']:.{max(digits, 3)}f}"


def _task(row: Mapping[str, Any]) -> str:
    return "-".join(str(row[key]) for key in ("metric", "split", "image", "method") if row.get(key))


def _card_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ValueError(f"{path}: missing: it holds what a card says beyond numbers")
    try:
        card = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML ({str(error).splitlines()[0]})") from None
    missing = [name for name in _NEEDED if not isinstance(card, dict) or name not in card]
    if missing:
        raise ValueError(f"{path}: lacks {', '.join(missing)}")
    return {key: value.strip() if isinstance(value, str) else value for key, value in card.items()} | {
        "results": {key: value.strip() if isinstance(value, str) else value for key, value in card["results"].items()}
    }


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: missing: a card is made from it") from None
    except ValueError:
        raise ValueError(f"{path}: not JSON") from None
