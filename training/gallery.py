"""The page of a folder of pictures: means, the pictures with their scores, what colours mean, how it was made."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

from hqdata.analysis.report.html import allow, fill
from hqdata.analysis.sheet import SYNTHETIC
from hqdata.store.reader import Collection
from hqdata.store.view import SplitView
from hqdata.training.panels import LEGEND, ZOOM
from hqdata.training.predict import BASE

SAM = "SAM"
"""What pages and pictures call the base."""
PROTOCOL_WORDS = {
    "native": "images resized by their longest side and padded, as SAM does it",
    "paper": "image and mask squashed to SAM's square, as the released training code of HQ-SAM evaluates",
}
OUTPUT_WORDS = {
    "head": "the trained mask alone",
    "sum": "the trained mask added to SAM's own",
}


def title_of(samples: Collection) -> str:
    """What is scored, for people."""
    of = f"Split {samples.definition.name} of " if isinstance(samples, SplitView) else ""
    return f"{of}{samples.index['recipe']['title']}"


def note_of(samples: Collection, protocol: str, output: str) -> str:
    """What stands below the title of every picture."""
    note = f"{title_of(samples)}; prompt: box; protocol: {protocol}; output: {output}"
    return f"{note}; {SYNTHETIC}" if samples.index["recipe"]["synthetic"] else note


def name_of(run: str) -> str:
    """What pages and pictures call a run."""
    return SAM if run == BASE else run


def gallery(samples: Collection, listing: Mapping[str, Any]) -> str:
    """Fill the template.

    Args:
        samples: what was scored.
        listing: what :func:`~hqdata.training.pictures.write_pictures` lists.

    Returns:
        One HTML page, which loads the pictures beside it and nothing else, and runs no script.
    """
    files = resources.files("hqdata.training")
    look = resources.files("hqdata.analysis.report").joinpath("style.css").read_text("utf-8")
    style = look + files.joinpath("gallery.css").read_text("utf-8")
    groups = list(dict.fromkeys(picture["group"] for picture in listing["pictures"]))
    content = {
        **listing,
        "title": title_of(samples),
        "synthetic": samples.index["recipe"]["synthetic"],
        "groups": [(group, [one for one in listing["pictures"] if one["group"] == group]) for group in groups],
        "legend": LEGEND,
        "zoom": ZOOM,
        "base": BASE,
        "protocol_words": PROTOCOL_WORDS,
        "output_words": OUTPUT_WORDS,
        "style": style,
        "policy": f"default-src 'none'; img-src 'self' file:; style-src {allow(style)}; base-uri 'none'",
    }
    template = files.joinpath("gallery.html.jinja").read_text("utf-8")
    return fill(template, {"percent": percent, "signed": _signed, "name": name_of}, content)


def percent(share: float | None) -> str:
    """A score as papers print it.

    >>> percent(0.8184), percent(None)
    ('81.8', '-')
    """
    return "-" if share is None else f"{100 * share:.1f}"


def _signed(gain: float) -> str:
    return f"{100 * gain:+.1f}"
