"""What a rehearsal Hub says of a card's metadata: a part of what the Hub checks, to find slips early."""

from __future__ import annotations

import re
from typing import Any

import yaml

LICENSES = {
    *("apache-2.0", "mit", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "unlicense", "cc0-1.0"),
    *("cc-by-2.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "cc-by-nc-3.0", "cc-by-nc-4.0"),
    *("cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0", "cc-by-nd-4.0", "odbl", "pddl"),
    *("openrail", "odc-by", "other", "unknown"),
}
COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SDKS = {"gradio", "docker", "static"}
PIPELINES = {
    *("image-to-text", "feature-extraction", "automatic-speech-recognition", "audio-classification", "audio-to-audio"),
    *("image-feature-extraction", "image-text-to-text", "object-detection", "text-to-audio", "other"),
}
_LISTS = ("tags", "datasets", "metrics", "models", "task_categories", "size_categories", "configs")
_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def front_matter(text: str) -> dict[str, Any]:
    """The YAML between the first two lines `---` of a card; {} without any.

    Raises:
        ValueError: it is no YAML, or no mapping.

    >>> front_matter("---\\nlicense: mit\\n---\\n# A model")
    {'license': 'mit'}
    """
    match = re.match(r"\s*---\r?\n(.*?)\r?\n---\s*(\n|$)", text, re.DOTALL)
    if match is None:
        return {}
    try:
        found = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        raise ValueError(f"the metadata is not YAML: {str(error).splitlines()[0]}") from None
    if found is not None and not isinstance(found, dict):
        raise ValueError("the metadata must be a mapping")
    return found or {}


def complaints(text: str, repository: str) -> list[str]:
    """What is wrong with the metadata of a card of a "model", "dataset" or "space"; nothing: []."""
    try:
        given = front_matter(text)
    except ValueError as error:
        return [str(error)]
    found = [f'"{name}" must be a list' for name in _LISTS if name in given and not isinstance(given[name], list | str)]
    licences = given.get("license", [])
    for licence in licences if isinstance(licences, list) else [licences]:
        if licence not in LICENSES:
            found.append(f'"license" must be one of the Hub\'s licences, got {licence!r}')
    link = str(given.get("license_link", "LICENSE"))
    if link not in ("LICENSE", "LICENSE.md") and not link.startswith(("https://", "http://")):
        found.append(f'"license_link" must be LICENSE, LICENSE.md or an address, got {link!r}')
    for name in ("datasets", "models", "base_model"):
        listed = given.get(name, [])
        found += [
            f'"{name}" must hold names of repositories, got {each!r}'
            for each in (listed if isinstance(listed, list) else [listed])
            if not _ID.fullmatch(str(each))
        ]
    kinds = {"model": _model, "dataset": _dataset, "space": _space}
    return found + kinds.get(repository, _model)(given)


def _model(given: dict[str, Any]) -> list[str]:
    found = []
    if given.get("pipeline_tag", "other") not in PIPELINES:
        found.append(f'"pipeline_tag" must be a task of the Hub, got {given["pipeline_tag"]!r}')
    for model in given.get("model-index", []):
        for result in model.get("results", []) if isinstance(model, dict) else [{}]:
            parts = {"task": ["type"], "dataset": ["type", "name"], "metrics": []}
            for part, keys in parts.items():
                if part not in result or any(key not in result[part] for key in keys):
                    found.append(f'"model-index" needs {part} with {", ".join(keys) or "values"} in each result')
            values = [row.get("value") for row in result.get("metrics", [])]
            found += ['"model-index" needs numbers as values' for value in values if not isinstance(value, int | float)]
    return found


def _dataset(given: dict[str, Any]) -> list[str]:
    configs = given.get("configs", [])
    good = all(isinstance(row, dict) and {"config_name", "data_files"} <= set(row) for row in configs)
    return [] if good else ['"configs" needs config_name and data_files in each entry']


def _space(given: dict[str, Any]) -> list[str]:
    found = [
        f'"{name}" must be one of {", ".join(sorted(COLORS))}, got {given[name]!r}'
        for name in ("colorFrom", "colorTo")
        if given.get(name, "red") not in COLORS
    ]
    if given.get("sdk") not in SDKS:
        found.append(f'"sdk" must be one of {", ".join(sorted(SDKS))}, got {given.get("sdk")!r}')
    if len(str(given.get("short_description", ""))) > 60:
        found.append('"short_description" must have at most 60 characters')
    return found
