"""Distributions of statistics, one row a source, as SVG: told apart by place and pattern, never by colour alone."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from hqdata.arrays import FloatArray

WIDTH = 3.9
ROW = 0.34
FOOT = 0.52
HEAD = 0.22
LEFT = 0.92
RIGHT = 0.48
"""Inches; an inch is 96 CSS pixels where the page shows a plot at its own size."""
BINS = 40
LABEL = 15
"""Most letters of a row's label."""
INK, FILL, FAINT = "#1c1f24", "#8a94a3", "#c9ced6"

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8,
    "hatch.linewidth": 0.7,
    "axes.linewidth": 0.6,
    "text.parse_math": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One panel."""

    column: str
    """Of the statistics table."""
    title: str
    axis: str
    """Label of the axis, with the unit."""
    scale: Literal["share", "linear", "log"]
    """``share`` spans 0 to 1; ``linear`` starts at 0; ``log`` spans the values."""
    meaning: str


STATISTICS = (
    Statistic(
        column="long_side",
        title="Image size",
        axis="long side (px)",
        scale="log",
        meaning="The longer side of the image as stored.",
    ),
    Statistic(
        column="area_rel",
        title="Area",
        axis="share of the image's area",
        scale="share",
        meaning="How much of the image is foreground.",
    ),
    Statistic(
        column="components_1024",
        title="Components",
        axis="parts per mask",
        scale="log",
        meaning="Parts that do not touch; 1 is one whole object.",
    ),
    Statistic(
        column="ipq_1024",
        title="Complexity of the outline",
        axis="IPQ (1 = disk)",
        scale="log",
        meaning="Isoperimetric quotient, boundary squared over 4 pi times area.",
    ),
    Statistic(
        column="thin_share_1024",
        title="Thin parts",
        axis="share of the mask's area",
        scale="share",
        meaning="What an opening by a disk of 1 % of the diagonal removes.",
    ),
    Statistic(
        column="band_share_1024",
        title="Boundary band",
        axis="share of the mask's area",
        scale="share",
        meaning="What lies within 2 % of the diagonal of the edge, as boundary IoU sees it.",
    ),
    Statistic(
        column="edge_alignment_1024",
        title="Edge alignment",
        axis="alignment (0.64 = chance)",
        scale="share",
        meaning="How well the mask's edge runs along edges of the image; fine annotations lie to the right.",
    ),
    Statistic(
        column="soft_width_1024",
        title="Softness of the edge",
        axis="width of the grey ramp (px at 1024)",
        scale="linear",
        meaning="How far the mask fades from foreground to background; 0 is a hard edge.",
    ),
    Statistic(
        column="sharpness_1024",
        title="Sharpness of the image",
        axis="variance of the Laplacian (grey levels squared)",
        scale="log",
        meaning="Higher is sharper or noisier; compared at 1024 px on the long side.",
    ),
)


@dataclass(frozen=True, slots=True)
class Row:
    """Values of one source."""

    label: str
    values: FloatArray
    """Without missing ones."""
    evaluation: bool


def distributions(statistic: Statistic, rows: Sequence[Row]) -> str:
    """Histograms of one statistic, one row a source, over one shared axis, as a data URI of an SVG.

    Each histogram is scaled to its own peak. A bar below it spans the quartiles, a tick stands at the median, whose
    value is at the right. Rows of evaluation collections are hatched. Same values, same bytes.
    """
    import matplotlib  # noqa: PLC0415 - slow to import, and only a report needs it

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        matplotlib.rcParams["svg.hashsalt"] = statistic.column
        return _drawn(statistic, rows)


def _drawn(statistic: Statistic, rows: Sequence[Row]) -> str:
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    height = HEAD + ROW * len(rows) + FOOT
    figure = Figure(figsize=(WIDTH, height))
    body = ((LEFT / WIDTH), FOOT / height, 1 - (LEFT + RIGHT) / WIDTH, ROW * len(rows) / height)
    axes = figure.add_axes(body)
    edges = _edges(statistic.scale, [row.values for row in rows])
    for position, row in enumerate(reversed(rows)):
        _row(axes, row, position, edges)
    _axis(axes, statistic, edges, rows)
    stream = io.BytesIO()
    bare = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", metadata=bare, facecolor="white")
    return "data:image/svg+xml;base64," + base64.b64encode(stream.getvalue()).decode()


def _edges(scale: str, values: Sequence[FloatArray]) -> FloatArray:
    """Bins that hold every value.

    On a linear scale the last one holds all above the 99.5th percentile, on a logarithmic one the first one zeros.
    """
    every = np.concatenate([np.zeros(0), *values])
    if scale == "share":
        return np.linspace(0.0, 1.0, BINS + 1)
    if scale == "linear":
        return np.linspace(0.0, max(1.0, float(np.quantile(every, 0.995))) if every.size else 1.0, BINS + 1)
    positive = every[every > 0]
    low, high = (float(positive.min()), float(positive.max())) if positive.size else (1.0, 10.0)
    return np.geomspace(low / 1.06, max(high, low * 2) * 1.06, BINS + 1)


def _row(axes: Any, row: Row, base: int, edges: FloatArray) -> None:
    values = np.clip(row.values, edges[0], edges[-1])
    axes.axhline(base, color=FAINT, linewidth=0.6, zorder=1)
    if not values.size:
        axes.text(1.03, base + 0.32, "-", transform=axes.get_yaxis_transform(), fontsize=7.5, va="center")
        return
    counts, _ = np.histogram(values, edges)
    heights = counts / counts.max() * 0.82
    look = {"facecolor": "white", "hatch": "//////"} if row.evaluation else {"facecolor": FILL}
    axes.stairs(base + heights, edges, baseline=base, fill=True, edgecolor=INK, linewidth=0.5, zorder=2, **look)
    first, middle, third = np.quantile(values, [0.25, 0.5, 0.75])
    axes.plot([first, third], [base - 0.08] * 2, color=INK, linewidth=2.2, solid_capstyle="butt", zorder=3)
    axes.plot([middle] * 2, [base - 0.16, base + 0.82], color=INK, linewidth=1.1, zorder=4)
    shown = short(float(np.median(row.values)))
    axes.text(1.03, base + 0.32, shown, transform=axes.get_yaxis_transform(), fontsize=7.5, va="center", color=INK)


def _axis(axes: Any, statistic: Statistic, edges: FloatArray, rows: Sequence[Row]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator  # noqa: PLC0415 - as above

    if statistic.scale == "log":
        axes.set_xscale("log")
        wide = edges[-1] / edges[0] > 50
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 2.0, 3.0, 5.0), numticks=8))
        axes.xaxis.set_minor_locator(NullLocator())
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-0.3, len(rows) - 0.02)
    axes.set_yticks([position + 0.32 for position in range(len(rows))], [_label(row.label) for row in reversed(rows)])
    axes.tick_params(axis="y", length=0, pad=4, labelcolor=INK)
    axes.tick_params(axis="x", length=3, width=0.6, labelcolor=INK)
    axes.set_xlabel(statistic.axis, color=INK, labelpad=3)
    axes.text(1.03, len(rows), "median", transform=axes.get_yaxis_transform(), fontsize=7, va="bottom", color=INK)
    axes.grid(axis="x", color=FAINT, linewidth=0.4, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "left", "right"):
        axes.spines[side].set_visible(False)


def _label(name: str) -> str:
    return name if len(name) <= LABEL else name[: LABEL - 3] + "..."


def short(value: float) -> str:
    """Number in few letters.

    >>> [short(value) for value in (0.1234, 5.6789, 1234.5, 0, 15300)]
    ['0.12', '5.7', '1,234', '0', '15,300']
    """
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 2 else f"{value:.2f}"
