"""The cells of paper 000's tables 2 and 3, those added to them, and the order in which they can be trained."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

DOMAINS = ("image", "audio")
POLICIES = ("N/A", "5:5", "4:5", "3:5", "2:5")
SIZES = (50, 75, 100, 250, 500, 1000)
FEW = (50, 75, 100, 250)
LONG = (100, 1000)
BASE = {"image": "omr", "audio": "amt"}
# Transfer into a domain: its name, and the policy that table 3 uses because it was the best of the paper's table 2.
TRANSFER = {"image": ("a2i", "N/A"), "audio": ("i2a", "5:5")}
TABLES = ("2", "3", "beyond")


@dataclass(frozen=True)
class Cell:
    """One network that is trained, or (method "fusion") two readings that are joined.

    Attributes:
        domain: the one it is trained for, "image" or "audio", or "both".
        needs: cells whose models it starts from, or reads with.
        policy: which blocks are frozen, of methods that transfer.
        size: staves of the domain's training set; None: all.
        method: "base" and "transfer" are the paper's; "same steps" is a base with the steps of a transfer,
            "long base" and "long transfer" have those of a base; "multitask"; "fusion"; the rest are few-shot methods.
    """

    name: str
    table: str
    domain: str
    method: str = "base"
    needs: tuple[str, ...] = ()
    policy: str = "N/A"
    size: int | None = None

    @property
    def source(self) -> str:
        """The domain it is transferred from."""
        return "audio" if self.domain == "image" else "image"


def table_cells(table: str) -> list[Cell]:
    """The cells of table "2" (12), of table "3" (24), or those "beyond" the paper, in an order that can be trained."""
    if table not in TABLES:
        raise ValueError(f"table must be one of {', '.join(TABLES)}, got {table!r}")
    return {"2": _second, "3": _third, "beyond": _beyond}[table]()


def _second() -> list[Cell]:
    bases = [Cell(BASE[domain], "2", domain) for domain in DOMAINS]
    return bases + [_transfer(domain, policy) for domain in reversed(DOMAINS) for policy in POLICIES]


def _third() -> list[Cell]:
    cells = []
    for domain in DOMAINS:
        for size in SIZES:
            cells.append(Cell(f"{BASE[domain]}-{size}", "3", domain, size=size))
            cells.append(_transfer(domain, TRANSFER[domain][1], size))
    return cells


def _transfer(domain: str, policy: str, size: int | None = None) -> Cell:
    short = policy.replace("/", "").replace(":", "").lower()
    name = f"{TRANSFER[domain][0]}-{short if size is None else size}"
    source = BASE["audio" if domain == "image" else "image"]
    return Cell(name, "2" if size is None else "3", domain, "transfer", (source,), policy, size)


# What is added to table 3: short names, and the sizes measured. Those of CONTROLS start from nothing.
FEW_SHOT = {
    "augment": ("aug", FEW),
    "augmented transfer": ("augt", FEW),
    "front first": ("front", FEW),
    "new front": ("new", FEW),
    "rehearsal": ("reh", FEW),
    "long base": ("long", LONG),
    "long transfer": ("long", LONG),
}
CONTROLS = ("augment", "long base")


def few_shot_name(method: str, domain: str) -> str:
    """What the cells of a few-shot method are called, without their size."""
    return f"{BASE[domain] if method in CONTROLS else TRANSFER[domain][0]}-{FEW_SHOT[method][0]}"


def _beyond() -> list[Cell]:
    cells = [Cell(f"{BASE[domain]}-same", "beyond", domain, "same steps") for domain in DOMAINS]
    for domain in DOMAINS:
        name, policy = TRANSFER[domain]
        source = BASE["audio" if domain == "image" else "image"]
        cells.append(Cell(f"{name}-long", "beyond", domain, "long transfer", (source,), policy))
    cells += [Cell("multitask", "beyond", "both", "multitask")]
    cells += [Cell("fusion", "beyond", "both", "fusion", needs=tuple(BASE.values()))]
    for domain in DOMAINS:
        source = BASE["audio" if domain == "image" else "image"]
        for method, (_, sizes) in FEW_SHOT.items():
            needs, name = () if method in CONTROLS else (source,), few_shot_name(method, domain)
            policy = "N/A" if method in CONTROLS else TRANSFER[domain][1]
            cells += [Cell(f"{name}-{size}", "beyond", domain, method, needs, policy, size) for size in sizes]
    return cells


def all_cells() -> dict[str, Cell]:
    """Every cell by its name."""
    return {cell.name: cell for table in TABLES for cell in table_cells(table)}


def chosen_cells(tables: Sequence[str], patterns: Iterable[str] = ()) -> list[Cell]:
    """The cells of some tables whose names match a pattern (all, without any), after the cells that they need.

    Raises:
        ValueError: a table that is none, or a pattern that matches nothing.
    """
    known = all_cells()
    cells = [cell for table in tables for cell in table_cells(table)]
    wanted = []
    patterns = list(patterns)
    for pattern in patterns:
        found = [cell for cell in cells if fnmatchcase(cell.name, pattern)]
        if not found:
            raise ValueError(f"no cell is called {pattern!r}; there are {', '.join(cell.name for cell in cells)}")
        wanted += found
    ordered: dict[str, Cell] = {}
    for cell in wanted if patterns else cells:
        for name in cell.needs:
            ordered[name] = known[name]
        ordered[cell.name] = cell
    return list(ordered.values())
