"""What the commands share: lists in options; summaries for people, JSON for programs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print what a program would want, as JSON.")]


def report(summary: dict[str, Any], as_json: bool) -> None:
    """A verb's summary: `key: value` lines, or JSON."""
    if as_json:
        print_json(summary)
    else:
        print("\n".join(f"{key}: {value}" for key, value in summary.items()))


def print_json(value: object) -> None:
    """A value as JSON, with what JSON does not know as text."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def listed(text: str) -> list[str]:
    """The names in a comma-separated option.

    >>> listed("midi, png,")
    ['midi', 'png']
    """
    return [part.strip() for part in text.split(",") if part.strip()]
