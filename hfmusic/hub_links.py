"""Links between folders of the checkout -> links between repositories of the Hub.

Cards name each other as a checkout has them: links `../crnn-amt/README.md`, places `"model_cards/crnn-amt"`, and in
their metadata `NAMESPACE/crnn-amt`. On the Hub these are `OWNER/crnn-amt` and its page.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hfmusic.packing import join_card, repository_name, split_card

PLACEHOLDER = "NAMESPACE/"
PLACES = {"model_cards": "model", "dist": "dataset", "spaces": "space"}
_PAGES = {"model": "", "dataset": "datasets/", "space": "spaces/"}
_LINK = re.compile(r"\[([^\]\[]*)\]\((\.\.?/[^)\s#]*)(?:#[^)\s]*)?\)")
_PLACE = re.compile(r'"(model_cards|dist|spaces)/([\w.-]+)"(  # or owner/name on the Hub)?')


@dataclass(frozen=True)
class HubLinks:
    """Where the folders go: the owner, the Hub's address, and whether a repository (kind, name) is or will be there.

    `own`: the name of the repository itself, where it is not its folder's: {folder's: its own}.
    """

    namespace: str
    endpoint: str
    present: Callable[[str, str], bool]
    own: Mapping[str, str] = field(default_factory=dict)

    def page(self, kind: str, name: str) -> str:
        """The address of a repository's page."""
        return f"{self.endpoint}/{_PAGES[kind]}{self.namespace}/{name}"


def card_on_hub(text: str, place: str, links: HubLinks) -> str:
    """A README.md of the folder `place` (`model_cards/crnn-omr`) as it stands on the Hub.

    What is not there is not linked to: a link becomes its text, an entry of the metadata is left out.

    >>> links = HubLinks("me", "https://hub", lambda kind, name: name == "a")
    >>> card_on_hub("See [a](../a/README.md) and [b](../b/README.md).", "model_cards/x", links)
    'See [a](https://hub/me/a) and b.'
    """
    front, body = split_card(text)
    body = _LINK.sub(lambda match: _linked(match[1], posixpath.join(place, match[2]), links), body)
    body = _PLACE.sub(lambda match: _placed(match, links), body)
    if front.get("license_link") == "README.md":  # the Hub takes an address, or a file LICENSE or LICENSE.md
        front |= {"license_link": links.page(PLACES[place.split("/")[0]], _repository(place.split("/")[1], links))}
    return join_card(_renamed(front, links), body) if front else body


def results_on_hub(rows: list[dict[str, Any]], links: HubLinks) -> list[dict[str, Any]]:
    """The rows of an `.eval_results` file, without those on datasets that are not there."""
    kept = []
    for row in rows:
        name = row["dataset"]["id"].removeprefix(PLACEHOLDER)
        if not row["dataset"]["id"].startswith(PLACEHOLDER):
            kept.append(row)
        elif links.present("dataset", name):
            kept.append(row | {"dataset": row["dataset"] | {"id": f"{links.namespace}/{name}"}})
    return kept


def _linked(text: str, target: str, links: HubLinks) -> str:
    parts = posixpath.normpath(target).split("/")
    if len(parts) < 2 or parts[0] not in PLACES:
        return text
    kind, name = PLACES[parts[0]], _repository(parts[1], links)
    return f"[{text}]({links.page(kind, name)})" if links.present(kind, name) else text


def _repository(folder: str, links: HubLinks) -> str:
    name = repository_name(folder)
    return links.own.get(name, name)


def _placed(match: re.Match[str], links: HubLinks) -> str:
    name = _repository(match[2], links)
    return f'"{links.namespace}/{name}"' if links.present(PLACES[match[1]], name) else match[0]


def _renamed(front: dict[str, Any], links: HubLinks) -> dict[str, Any]:
    """The metadata with placeholders replaced; the index of results keeps a dataset that is not there by its name."""
    kinds = {"datasets": "dataset", "models": "model", "base_model": "model"}
    renamed: dict[str, Any] = {}
    for key, value in front.items():
        if key in kinds:
            listed = value if isinstance(value, list) else [value]
            named = [_name(each, kinds[key], links) for each in listed]
            there = [each for each in named if each is not None]
            if there:
                renamed[key] = there if isinstance(value, list) else there[0]
        else:
            renamed[key] = _deep(value, links)
    return renamed


def _name(value: str, kind: str, links: HubLinks) -> str | None:
    name = value.removeprefix(PLACEHOLDER)
    if name == value:
        return value
    return f"{links.namespace}/{name}" if links.present(kind, name) else None


def _deep(value: Any, links: HubLinks) -> Any:
    if isinstance(value, dict):
        return {key: _deep(part, links) for key, part in value.items()}
    if isinstance(value, list):
        return [_deep(part, links) for part in value]
    if isinstance(value, str) and value.startswith(PLACEHOLDER):
        return _name(value, "dataset", links) or value.removeprefix(PLACEHOLDER)
    return value
