"""Which of paper 000's findings hold in our numbers, and what the added cells show: by rules, not by hand.

A finding compares two error rates, seed by seed. It "holds" if its inequality is true in the mean and for every seed,
"mostly holds" if in the mean only, and "does not hold" otherwise. Every finding says which numbers it compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hfmusic.reproduce.cells import BASE, DOMAINS, FEW_SHOT, SIZES, TRANSFER, few_shot_name

Rates = Mapping[str, Mapping[str, float]]  # SER of one seed: cell -> domain -> percent
COLLAPSE = 85.0  # a SER from here on: nothing is recognised
MARGIN = 3.0  # differences of SER up to here: marginal


@dataclass(frozen=True)
class Finding:
    """`verdict`: holds, mostly holds, does not hold, or not measured; `numbers`: what was compared, as text."""

    claim: str
    rule: str
    verdict: str
    numbers: str = ""


@dataclass(frozen=True)
class _Claim:
    """`values` of one seed are compared by `true`; `shown` names them in the text."""

    claim: str
    rule: str
    shown: tuple[str, ...]
    values: Callable[[Rates], tuple[float, ...]]
    true: Callable[[tuple[float, ...]], bool]


def judge(seeds: Mapping[int, Rates]) -> list[Finding]:
    """The verdict on every claim. Seeds that lack a number of a claim are left out of it."""
    return [_verdict(claim, seeds) for claim in [*_table_2(), *_table_3(), *_beyond()]]


def _verdict(claim: _Claim, seeds: Mapping[int, Rates]) -> Finding:
    values = []
    for rates in seeds.values():
        try:
            values.append(claim.values(rates))
        except KeyError:
            continue
    if not values:
        return Finding(claim.claim, claim.rule, "not measured")
    mean = tuple(sum(column) / len(values) for column in zip(*values, strict=True))
    each = [claim.true(row) for row in values]
    verdict = "does not hold"
    if claim.true(mean):
        verdict = "holds" if all(each) else "mostly holds"
    numbers = ", ".join(f"{name} {value:.1f}" for name, value in zip(claim.shown, mean, strict=True))
    return Finding(claim.claim, claim.rule, verdict, f"{numbers} (true for {sum(each)} of {len(each)} seeds)")


def _less(cells: tuple[str, str], domain: str) -> Callable[[Rates], tuple[float, ...]]:
    return lambda rates: (rates[cells[0]][domain], rates[cells[1]][domain])


def _first_is_less(values: tuple[float, ...]) -> bool:
    return values[0] < values[1]


def _first_is_least(values: tuple[float, ...]) -> bool:
    return values[0] <= min(values[1:])


def _collapsed(values: tuple[float, ...]) -> bool:
    return all(value >= COLLAPSE for value in values)


def _table_2() -> list[_Claim]:
    policies = ("na", "55", "45", "35", "25")
    claims = []
    for domain, best in (("image", "na"), ("audio", "55")):
        name, base = TRANSFER[domain][0], BASE[domain]
        cell = f"{name}-{best}"
        claims += [
            _Claim(
                f"Transfer helps in the {domain} domain, given all of its staves",
                f"{domain} SER of {cell} < of {base}",
                (cell, base),
                _less((cell, base), domain),
                _first_is_less,
            ),
            _Claim(
                f"The same where a base has no more steps than the transfer on {domain} staves (our control)",
                f"{domain} SER of {cell} < of {base}-same",
                (cell, f"{base}-same"),
                _less((cell, f"{base}-same"), domain),
                _first_is_less,
            ),
            _Claim(
                f"The same where the transfer has as many steps as the {domain} base (our control)",
                f"{domain} SER of {name}-long < of {base}",
                (f"{name}-long", base),
                _less((f"{name}-long", base), domain),
                _first_is_less,
            ),
            _Claim(
                f"{'Nothing may be frozen' if best == 'na' else 'The output layer may stay frozen'} on the way to the "
                f"{domain} domain: {'N/A' if best == 'na' else '5:5'} is the best policy",
                f"{domain} SER of {cell} is the least of the five policies",
                tuple(f"{name}-{policy}" for policy in (best, *(p for p in policies if p != best))),
                _columns([f"{name}-{policy}" for policy in (best, *(p for p in policies if p != best))], domain),
                _first_is_least,
            ),
            _Claim(
                f"Frozen LSTMs and convolutions are of no use to the {domain} domain",
                f"{domain} SER of {name}-35 and {name}-25 >= {COLLAPSE:.0f}",
                (f"{name}-35", f"{name}-25"),
                _columns([f"{name}-35", f"{name}-25"], domain),
                _collapsed,
            ),
            _Claim(
                f"A network of the other domain reads nothing of the {domain} domain",
                f"{domain} SER of {BASE[_other(domain)]} >= {COLLAPSE:.0f}",
                (BASE[_other(domain)],),
                _columns([BASE[_other(domain)]], domain),
                _collapsed,
            ),
            _Claim(
                f"Catastrophic forgetting: after transfer to the {domain} domain, nothing of the other is left",
                f"{_other(domain)} SER of {cell} >= {COLLAPSE:.0f}",
                (cell,),
                _columns([cell], _other(domain)),
                _collapsed,
            ),
        ]
    more = "Transfer gains more from audio to images than from images to audio"
    return [
        *claims,
        _gains(more, ("a2i-na", "omr"), ("i2a-55", "amt")),
        _gains("The same at a transfer's steps (our control)", ("a2i-na", "omr-same"), ("i2a-55", "amt-same")),
        _gains("The same at a base's steps (our control)", ("a2i-long", "omr"), ("i2a-long", "amt")),
    ]


def _gains(claim: str, image: tuple[str, str], audio: tuple[str, str]) -> _Claim:
    def values(rates: Rates) -> tuple[float, ...]:
        pairs = ((image, "image"), (audio, "audio"))
        rows = [(rates[moved][domain], rates[base][domain]) for (moved, base), domain in pairs]
        return tuple(100 * (base - moved) / base for moved, base in rows)

    return _Claim(
        claim,
        f"relative gain of {image[0]} over {image[1]} > of {audio[0]} over {audio[1]}, percent",
        image[:1] + audio[:1],
        values,
        lambda gains: gains[0] > gains[1],
    )


def _table_3() -> list[_Claim]:
    claims = []
    for domain, last in (("image", 100), ("audio", 50)):
        base, moved = BASE[domain], TRANSFER[domain][0]
        few, many = [size for size in SIZES if size <= last], [size for size in SIZES if size > last]
        claims.append(
            _Claim(
                f"Transfer is better with up to {last} {domain} staves",
                f"mean {domain} SER of {moved}-N < of {base}-N over N = {', '.join(map(str, few))}",
                (moved, base),
                _means([moved, base], few, domain),
                _first_is_less,
            )
        )
        more = "transfer is worse" if domain == "image" else "it makes little difference"
        claims.append(
            _Claim(
                f"With more {domain} staves, {more}",
                f"mean {domain} SER of {base}-N and {moved}-N over N = {', '.join(map(str, many))}: "
                + ("the first is less" if domain == "image" else f"no more than {MARGIN:.0f} apart"),
                (base, moved),
                _means([base, moved], many, domain),
                _first_is_less if domain == "image" else lambda values: abs(values[0] - values[1]) <= MARGIN,
            )
        )
    return claims


# Each few-shot method and what it must beat: all but the long ones add augmentation to what they do.
_RIVALS = (
    ("augment", "base"),
    ("augmented transfer", "transfer"),
    ("augmented transfer", "augment"),
    ("front first", "augmented transfer"),
    ("new front", "augmented transfer"),
    ("rehearsal", "augmented transfer"),
    ("long transfer", "long base"),
)


def _beyond() -> list[_Claim]:
    claims = []
    for domain in DOMAINS:
        base, moved = BASE[domain], TRANSFER[domain][0]
        claims.append(
            _Claim(
                f"One network for both (multi-task) reads the {domain} domain no worse than its own network",
                f"{domain} SER of multitask <= of {base} + 1",
                ("multitask", base),
                _less(("multitask", base), domain),
                lambda values: values[0] <= values[1] + 1,
            )
        )
        names = {"base": base, "transfer": moved}
        names |= {method: few_shot_name(method, domain) for method in FEW_SHOT}
        for method, other in _RIVALS:
            sizes = FEW_SHOT[method][1]
            claims.append(
                _Claim(
                    f"Few {domain} staves: {method} beats {other}",
                    f"mean {domain} SER of {names[method]}-N < of {names[other]}-N over those of N = "
                    f"{', '.join(map(str, sizes))} that both have",
                    (names[method], names[other]),
                    _means([names[method], names[other]], list(sizes), domain, some=True),
                    _first_is_less,
                )
            )
    return [*claims, *_fusions()]


def _fusions() -> list[_Claim]:
    def values(rates: Rates, name: str) -> tuple[float, ...]:
        fused = rates["fusion"]
        return fused[name], min(fused["image"], fused["audio"])

    names = ("fused (paper)", "fused (eye and ear)", "fused (calibrated)")
    return [
        _Claim(
            f"Late fusion, {name[7:-1]}, beats the better single reading",
            "SER of the fused readings < of the better of omr and amt on the same staves",
            (name, "better single"),
            lambda rates, name=name: values(rates, name),  # type: ignore[misc]
            _first_is_less,
        )
        for name in names
    ]


def _columns(cells: list[str], domain: str) -> Callable[[Rates], tuple[float, ...]]:
    return lambda rates: tuple(rates[cell][domain] for cell in cells)


def _means(names: list[str], sizes: list[int], domain: str, some: bool = False) -> Callable[[Rates], tuple[float, ...]]:
    """Means over sizes; with `some`, over those that all names have."""

    def values(rates: Rates) -> tuple[float, ...]:
        measured = [size for size in sizes if all(f"{name}-{size}" in rates for name in names)] if some else sizes
        if not measured:
            raise KeyError(names[0])
        return tuple(sum(rates[f"{name}-{size}"][domain] for size in measured) / len(measured) for name in names)

    return values


def _other(domain: str) -> str:
    return "audio" if domain == "image" else "image"
