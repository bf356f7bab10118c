"""Words for columns of the statistics that masks can be matched on."""

from collections.abc import Sequence

from hqdata.analysis.stats_table import STATS, Stat
from hqdata.errors import UsageError, explain
from hqdata.strict import nearest

NATIVE, ENDS = "_px", ("_rel", "_1024")
"""How names end: measured in the image's own pixels; in a way that can be matched, the first one being meant by a bare
name that has both."""
MATCHABLE: tuple[str, ...] = tuple(
    stat.name for stat in STATS if stat.name.endswith(ENDS) and stat.safe in {"yes", "roughly"}
)
"""Columns that mean the same at every resolution."""
_STATS = {stat.name: stat for stat in STATS}


def resolve_columns(words: Sequence[str]) -> tuple[str, ...]:
    """Columns that some words mean, in the words' order, each once.

    >>> resolve_columns(["area", "thin_share", "border_1024"])
    ('area_rel', 'thin_share_1024', 'border_1024')

    Args:
        words: names of columns, or names without their ends.

    Raises:
        UsageError: a word means no column, or one that cannot be matched.
    """
    return tuple(dict.fromkeys(_resolve(word) for word in words))


def _resolve(word: str) -> str:
    meant = [name for name in (word, *(word + end for end in (*ENDS, NATIVE))) if name in _STATS]
    found = [name for name in meant if name in MATCHABLE]
    if found:
        return found[0]
    if meant:
        raise _unfit(word, _STATS[meant[0]])
    bare = list(dict.fromkeys(_bare(name) for name in MATCHABLE))
    known = [*MATCHABLE, *bare] if word.endswith(ENDS) else bare
    raise UsageError(explain(f'--match: there is no column "{word}"', do=nearest(word, known)))


def _unfit(word: str, stat: Stat) -> UsageError:
    if stat.safe == "-":
        why = "it names the mask or its image, and measures nothing"
    elif stat.name.endswith(NATIVE):
        why = "it is counted in the image's own pixels, so that matching it would match resolutions"
    elif stat.safe == "no":
        why = "its values depend on the image's resolution"
    else:
        why = "it is measured neither relative to the image nor at 1024 pixels"
    same = [name for name in MATCHABLE if _bare(name) == _bare(stat.name)]
    return UsageError(
        explain(
            f"--match: {word} cannot be matched",
            expected="a column that ends in _rel or _1024 and means the same at every resolution",
            got=f"{stat.name}: {why}",
            do=f"match {' or '.join(same)}" if same else "choose one of: " + ", ".join(MATCHABLE),
        )
    )


def _bare(name: str) -> str:
    for end in (*ENDS, NATIVE):
        name = name.removesuffix(end)
    return name
