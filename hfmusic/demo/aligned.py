"""Readings of the same music, one below the other, token by token, as a table of HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from hfmusic.metrics.sequence import edit_distance, symbol_error_rate
from hfmusic.symbolic.fusion import EYE_AND_EAR, align

KEY = (
    '<p class="hfm-key"><span class="hfm-wrong">≠ another symbol</span><span class="hfm-extra">+ not in the first row'
    '</span><span class="hfm-missing">– left out</span></p>'
)


class Row(NamedTuple):
    """A reading: who read it, the tokens, and how sure, 0..1 each; no confidences: it is the truth."""

    name: str
    tokens: Sequence[str]
    confidences: Sequence[float] = ()


class Cell(NamedTuple):
    """`kind`: "" (as in the first row), "wrong", "extra", "missing", or "gap": nothing here, and rightly."""

    token: str
    kind: str
    confidence: float | None = None


def aligned(first: Row, others: Sequence[Row]) -> list[list[Cell]]:
    """Cells of the first row and of the others, all of one length: what belongs together is in one column.

    Each row is aligned with the first one; tokens that the first lacks have columns of their own, which rows share.

    >>> rows = aligned(Row("truth", ["a", "b"]), [Row("one", ["a", "x", "b"]), Row("two", ["a"])])
    >>> [[cell.token or "-" for cell in row] for row in rows]
    [['a', '-', 'b'], ['a', 'x', 'b'], ['a', '-', '-']]
    """
    placed = [_placed(first, other) for other in others]
    rooms = [max([len(slots[place][0]) for slots in placed], default=0) for place in range(len(first.tokens) + 1)]
    rows = [_first_cells(first, rooms)]
    for slots in placed:
        cells: list[Cell] = []
        for (extra, here), room in zip(slots, rooms, strict=True):
            cells += [*extra, *[Cell("", "gap")] * (room - len(extra)), *([] if here is None else [here])]
        rows.append(cells)
    return rows


def _placed(first: Row, other: Row) -> list[tuple[list[Cell], Cell | None]]:
    """For each place of the first row, and its end: what the other has before it, and at it."""
    slots: list[tuple[list[Cell], Cell | None]] = []
    extra: list[Cell] = []
    for place, found in align(first.tokens, other.tokens, EYE_AND_EAR):
        token = "" if found is None else other.tokens[found]
        sure = other.confidences[found] if found is not None and other.confidences else None
        if place is None:
            extra.append(Cell(token, "extra", sure))
            continue
        kind = "missing" if found is None else "" if token == first.tokens[place] else "wrong"
        slots.append((extra, Cell(token, kind, sure)))
        extra = []
    return [*slots, (extra, None)]


def _first_cells(first: Row, rooms: Sequence[int]) -> list[Cell]:
    cells: list[Cell] = []
    for place, room in enumerate(rooms):
        cells += [Cell("", "gap")] * room
        if place < len(first.tokens):
            cells.append(Cell(first.tokens[place], "", first.confidences[place] if first.confidences else None))
    return cells


def table(first: Row, others: Sequence[Row], *, truth: bool) -> str:
    """The readings as a table; where the first row is the truth, with the symbol error rate of the others."""
    lines = []
    for row, cells in zip([first, *others], aligned(first, others), strict=True):
        note = _note(first, row, truth) if row is not first else ""
        name = f"<th scope='row'>{html.escape(row.name)}<small>{note}</small></th>"
        lines.append(f"<tr>{name}{''.join(map(_cell, cells))}</tr>")
    return f'<div class="hfm-table" tabindex="0"><table>{"".join(lines)}</table></div>{KEY}'


def _note(first: Row, row: Row, truth: bool) -> str:
    edits = edit_distance(first.tokens, row.tokens)
    wrong = "all right" if not edits else f"{edits} edit{'s' * (edits > 1)}"
    if not truth or not first.tokens:
        return wrong if edits else "the same"
    return f"SER {symbol_error_rate([first.tokens], [row.tokens]):.1f} %, {wrong}"


_SIGNS = {"": "", "wrong": "≠ ", "extra": "+ "}
_SHORT = {"keySignature": "key", "timeSignature": "meter"}


def _cell(cell: Cell) -> str:
    if cell.kind == "gap":
        return "<td></td>"
    if cell.kind == "missing":
        return '<td class="hfm-missing">–</td>'
    kind, _, value = cell.token.partition("-")
    pitch, _, length = value.partition("_")
    below = f"grace {length}" if kind == "gracenote" else length or (_SHORT.get(kind, kind) if value else "")
    text = f"{_SIGNS[cell.kind]}{html.escape(pitch or kind)}<small>{html.escape(below)}</small>"
    sure = "" if cell.confidence is None else f", {100 * cell.confidence:.0f} % sure"
    mark = f' class="hfm-{cell.kind}"' if cell.kind else ""
    return f'<td{mark} title="{html.escape(cell.token + sure, quote=True)}">{text}</td>'
