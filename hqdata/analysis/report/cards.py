"""Cards of the report: pictures of one finding with what is known about it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from hqdata.analysis.report.pictures import Album, Shown

CARDS = 24
"""Most cards of one level or kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture with its caption."""

    shown: Shown
    name: str
    role: str
    """Such as ``training`` or ``as stored``."""
    mark: str = ""
    """What the clean split does with it; empty where nothing is said."""
    dropped: bool = False
    native: bool = False
    """One image pixel is one CSS pixel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One finding."""

    title: str
    facts: tuple[tuple[str, str], ...]
    figures: tuple[Figure, ...]
    reasons: tuple[str, ...]
    more: str = ""
    """What the card leaves out."""
    words: Mapping[str, tuple[str, ...]]


Draw: TypeAlias = Callable[[Album], Card]


@dataclass(slots=True, kw_only=True)
class Group:
    """Cards of one level or kind."""

    anchor: str
    """Such as ``suspects?kind=shifted``, which is also the address of the filtered view."""
    title: str
    meaning: str
    total: int
    """Findings, drawn or not."""
    cards_total: int
    """Cards that all findings would make."""
    query: str
    words: Mapping[str, tuple[str, ...]]
    draws: Sequence[Draw]
    cards: list[Card] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """Cards that are not shown."""
        return self.cards_total - len(self.cards)


def draw_cards(groups: Sequence[Group], album: Album) -> None:
    """Draw the first card of every group, then the second of every group, until the album is full."""
    for position in range(max((len(group.draws) for group in groups), default=0)):
        for group in groups:
            if position < len(group.draws):
                if album.full:
                    return
                group.cards.append(group.draws[position](album))
