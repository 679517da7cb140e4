"""Decoding by meter: the reading whose rhythm makes measures, out of all that a CTC network half heard.

Bar lines make no sound, and rests next to none: a network is seldom sure of one in any single frame, but it is right
about how many there are about where. Greedy decoding drops them. Here the greedy reading is a row of slots, a note or
rest in each and a gap after it. A slot may hold its symbol in other durations, and a gap a rest or note, each as likely
as the network's frames say. For every meter and upbeat a beam search (Viterbi over places in the measure) finds the
best way through, weighed by

- rhythm: how staves of this meter go, counted in training texts: which duration at which place after which;
- the network: the probabilities of what was chosen in slots and gaps;
- bar lines: the network's belief that there is one in the gaps where the measures end, and none in the others;
- meter: its belief in the time signature.

The best sets meter and bar lines; a note over a bar line becomes two tied ones. numpy only.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from .ctc_decoding import DecodedSequence, greedy_decode
from .meter_reckoning import TIME, Played, cut, measure_ticks, played, start_place, ticks_of

_SURE = 0.98  # no doubt of the network counts as more
_LEAST = 0.05  # of the network's probability, for what a slot or gap may hold besides


@dataclass(frozen=True)
class MeterWeights:
    """What the four witnesses are worth against each other, and how many states the search keeps."""

    rhythm: float = 0.5
    network: float = 1.0
    barline: float = 1.0
    meter: float = 1.0
    beam: int = 12


class MeterModel:
    """Counts of training texts. Contexts that were seldom seen fall back on shorter ones."""

    def __init__(self, counts: dict[str, dict[str, int]], weights: MeterWeights = MeterWeights()) -> None:
        self.counts, self.weights = counts, weights
        self.totals = {context: sum(found.values()) for context, found in counts.items()}
        self.meters = [meter for meter, count in counts.get("meter", {}).items() if count >= 3 and measure_ticks(meter)]
        self._known: dict[tuple[str, int, str, str], float] = {}

    @classmethod
    def fit(cls, texts: Iterable[Sequence[str]], weights: MeterWeights = MeterWeights()) -> MeterModel:
        """Count the rhythms of semantic token sequences. Those without one meter, or with multirests, are left out."""
        counts: dict[str, Counter[str]] = {}
        for tokens in texts:
            meters = [token[len(TIME) :] for token in tokens if token.startswith(TIME)]
            measure = measure_ticks(meters[0]) if len(meters) == 1 else None
            events = played(tokens)
            if measure is None or not events or any(token.startswith("multirest") for token in tokens):
                continue
            meter, place, before = meters[0], start_place(tokens, measure), "^"
            counts.setdefault("meter", Counter())[meter] += 1
            counts.setdefault(f"start {meter}", Counter())[str(place)] += 1
            for event in events:
                for context in _contexts(meter, place, before):
                    counts.setdefault(context, Counter())[event.kind] += 1
                place, before = (place + event.ticks) % measure, event.kind
            for context in _contexts(meter, place, before):
                counts.setdefault(context, Counter())["$"] += 1
        rare = {context for context, found in counts.items() if context.count(" ") == 3 and found.total() < 3}
        return cls({context: dict(found) for context, found in counts.items() if context not in rare}, weights)

    def save(self, path: str | os.PathLike) -> None:
        """Write JSON."""
        content = {"weights": asdict(self.weights), "counts": self.counts}
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file, separators=(",", ":"), sort_keys=True)

    @classmethod
    def load(cls, path: str | os.PathLike) -> MeterModel:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        return cls(content["counts"], MeterWeights(**content["weights"]))

    def log_prob(self, meter: str, place: int, before: str, kind: str) -> float:
        """ln P(kind | meter, place in ticks, kind before); "^" and "$" are the beginning and the end."""
        key = (meter, place, before, kind)
        if key not in self._known:
            probability = 1e-4
            for context in reversed(_contexts(meter, place, before)):
                seen, total = self.counts.get(context, {}).get(kind, 0), self.totals.get(context, 0)
                probability = (seen + 4 * probability) / (total + 4)
            self._known[key] = math.log(probability)
        return self._known[key]

    def decode(self, log_probs: np.ndarray, tokens: Sequence[str]) -> DecodedSequence:
        """The best reading of `log_probs` (T, V+1); `tokens` is the vocabulary.

        A reading without notes, with several meters, or with multirests among its notes is the greedy one.
        """
        greedy = greedy_decode(log_probs)
        read = [tokens[index] for index in greedy.ids]
        events = played(read)
        several = sum(token.startswith(TIME) for token in read) > 1
        rests = [place for place, token in enumerate(read) if token.startswith("multirest")]
        if not events or not self.meters or several or any(place > events[0].first for place in rests):
            return greedy
        lattice = _Lattice(np.exp(log_probs.astype(np.float64)), tokens, greedy, events)
        found = max((self._search(lattice, meter, upbeat=not rests) for meter in self.meters), key=lambda way: way[0])
        return _written(lattice, read, found)

    def _search(self, lattice: _Lattice, meter: str, upbeat: bool) -> _Way:
        """The best way through the lattice in one meter."""
        weights, measure, belief = self.weights, measure_ticks(meter) or 1, lattice.belief(meter)
        prior = weights.rhythm * math.log(self.counts["meter"][meter] / self.totals["meter"])
        prior += weights.meter * math.log(belief + 1e-3)
        ways: dict[tuple[int, str], _Way] = {}
        for start, seen in self.counts[f"start {meter}"].items():
            if upbeat or start == "0":
                first = weights.rhythm * math.log(seen / self.totals[f"start {meter}"])
                ways[int(start), "^"] = _Way(prior + first, meter, belief, int(start), None, None)
        for slot, gap, barred in lattice.steps:
            following: dict[tuple[int, str], _Way] = {}
            for (place, before), way in ways.items():
                for symbol in slot:
                    for more in gap:
                        self._extend(following, way, place, before, [symbol, more], barred, measure)
            best = sorted(following.items(), key=lambda entry: -entry[1].score)[: weights.beam]
            ways = dict(best)
        ends = (
            way._replace(score=way.score + weights.rhythm * self.log_prob(meter, place, before, "$"))
            for (place, before), way in ways.items()
        )
        return max(ends, key=lambda way: way.score)

    def _extend(
        self,
        following: dict[tuple[int, str], _Way],
        way: _Way,
        place: int,
        before: str,
        symbols: Sequence[_Choice],
        barred: float,
        measure: int,
    ) -> None:
        """One step on: the symbols of a slot and its gap, which may be empty, and whether a measure ended."""
        weights, score, ended, last = self.weights, way.score, False, way
        for symbol in symbols:
            score += weights.network * symbol.log_prob
            if symbol.event is None:
                continue
            score += weights.rhythm * self.log_prob(way.meter, place, before, symbol.event.kind)
            place, before = place + symbol.event.ticks, symbol.event.kind
            ended, place = ended or place >= measure, place % measure
            last = _Way(score, way.meter, way.belief, way.start, symbol.event, last)
        if barred:
            score += weights.barline * math.log(barred if ended else 1 - barred)
        known = following.get((place, before))
        if known is None or known.score < score:
            following[place, before] = last._replace(score=score)


class _Choice(NamedTuple):
    """What a slot or gap may hold; no event: nothing."""

    event: Played | None
    log_prob: float


class _Way(NamedTuple):
    """A way so far: its last event, and the way before it."""

    score: float
    meter: str
    belief: float
    start: int
    event: Played | None
    parent: Any

    def events(self) -> list[Played]:
        found, way = [], self
        while way is not None:
            if way.event is not None:
                found.append(way.event)
            way = way.parent
        return found[::-1]


class _Lattice:
    """What was heard, as steps of (choices of a slot, choices of its gap, belief in a bar line in the gap)."""

    def __init__(
        self, probabilities: np.ndarray, tokens: Sequence[str], greedy: DecodedSequence, events: Sequence[Played]
    ) -> None:
        self.probabilities, self.tokens, self.greedy, self.events = probabilities, tokens, greedy, events
        self.ids = {token: index for index, token in enumerate(tokens)}
        self.lengths = {index: ticks for index, token in enumerate(tokens) if (ticks := ticks_of(token))}
        self.playable = np.array(list(self.lengths))
        self.barred: dict[int, float] = {}
        head = [_Choice(None, 0.0)]
        self.steps = [(head, self._gap(0, greedy.spans[events[0].first][0], None), 0.0)]
        for number, event in enumerate(events):
            begin = greedy.spans[event.last][1]
            end = greedy.spans[events[number + 1].first][0] if number + 1 < len(events) else len(probabilities)
            barred = 1 - np.prod(1 - np.clip(probabilities[begin:end, self.ids["barline"]], 0, _SURE))
            self.barred[event.last] = float(np.clip(barred, 1 - _SURE, _SURE))
            self.steps.append((self._slot(event), self._gap(begin, end, event), self.barred[event.last]))

    def belief(self, meter: str) -> float:
        """The network's belief in a time signature: its best frame before the first note is over."""
        end = self.greedy.spans[self.events[0].first][1]
        return float(self.probabilities[:end, self.ids[TIME + meter]].max()) if TIME + meter in self.ids else 0.0

    def _slot(self, event: Played) -> list[_Choice]:
        """The event, and the same in other durations."""
        index = self.greedy.ids[event.first]
        begin, end = self.greedy.spans[event.first]
        own = _Choice(event, math.log(max(self.greedy.confidences[event.first], 1e-6)))
        if event.first != event.last:
            return [own]  # tied notes
        heard = self.probabilities[begin:end].mean(axis=0)
        head = event.token.partition("_")[0] + "_" if event.token[0] == "n" else "rest-"
        others = [
            _Choice(event._replace(token=self.tokens[at], ticks=self.lengths[at]), math.log(heard[at]))
            for at in self.playable[heard[self.playable] >= _LEAST]
            if at != index and self.tokens[at].startswith(head)
        ]
        return [own, *others]

    def _gap(self, begin: int, end: int, event: Played | None) -> list[_Choice]:
        """Nothing, or one note or rest that all frames of the gap together speak for."""
        sums = self.probabilities[begin:end][:, self.playable].sum(axis=0)
        at = event.last if event else 0
        likely = np.flatnonzero(sums >= _LEAST)
        none = _Choice(None, math.log(max(0.02, 1 - float(sums[likely].sum()))))
        choices = [none]
        for place in likely[np.argsort(-sums[likely])][:3]:
            token = self.tokens[self.playable[place]]
            sure = min(_SURE, float(sums[place]))
            choices.append(_Choice(Played(token, self.lengths[self.playable[place]], at, at, (), sure), math.log(sure)))
        return choices


def _contexts(meter: str, place: int, before: str) -> tuple[str, ...]:
    """From the closest to none."""
    return f"at {meter} {place} {before}", f"at {meter} {place}", f"in {meter}", "any"


def _written(lattice: _Lattice, read: Sequence[str], way: _Way) -> DecodedSequence:
    """The symbols of a way: its meter after the clef and key, bar lines where measures are full."""
    greedy, first = lattice.greedy, lattice.events[0].first
    symbols: list[tuple[str, float, tuple[int, int]]] = []

    def keep(index: int) -> None:
        symbols.append((read[index], greedy.confidences[index], greedy.spans[index]))

    head = [index for index in range(first) if not read[index].startswith((TIME, "tie"))]
    signs = [index for index in head if read[index].startswith(("clef-", "keySignature-"))]
    counted = any(read[index].startswith("multirest") for index in head)
    for index in signs:
        keep(index)
    symbols.append((TIME + way.meter, way.belief, greedy.spans[max(0, first - 1)]))
    for index in head:
        if index not in signs and (read[index] != "barline" or counted):
            keep(index)
    place, measure = way.start, measure_ticks(way.meter) or 1
    for event in way.events():
        for index in event.before:
            keep(index)
        sure = event.sure if event.sure is not None else greedy.confidences[event.first]
        barred = lattice.barred.get(event.last, 0.5)
        for token, ticks in cut(event, place, measure):
            symbols.append((token, sure if ticks else barred, greedy.spans[event.last]))
            place = (place + ticks) % measure
    known = [(lattice.ids[token], sure, span) for token, sure, span in symbols if token in lattice.ids]
    confidences = [min(1.0, sure) for _, sure, _ in known]
    return DecodedSequence([index for index, _, _ in known], confidences, [span for _, _, span in known], way.score)
