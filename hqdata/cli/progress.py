"""The bar of the command line: rate, percent, time left. It shows on a terminal only, on stderr."""

import time
from collections.abc import Callable

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

BYTES = "B"
_A_LINE = 60
"""Seconds from line to line, where there is no terminal."""


class CountRateColumn(ProgressColumn):
    """Things a second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """The rate over the last half minute, or over the whole of a finished task."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f} {self.unit}/s", style="progress.data.speed")


class DownloadBar:
    """A :class:`~hqdata.fetch.progress.Progress` that is drawn from ``start`` to ``finish``.

    Args:
        unit: "B" counts bytes; any other word counts things of that name, such as "samples".
        console: where to draw; stderr by default. Nothing is drawn unless it is a terminal.
    """

    def __init__(self, *, unit: str = BYTES, console: Console | None = None) -> None:
        console = console or Console(stderr=True)
        counts: list[ProgressColumn] = [DownloadColumn(), TransferSpeedColumn()]
        if unit != BYTES:
            counts = [MofNCompleteColumn(), CountRateColumn(unit)]
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            *counts,
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None

    def start(self, name: str, total: int | None) -> None:
        """Begin a new bar, or the same one from zero where a transfer is started over."""
        text = escape(name)
        if self._task is not None and self._bar.tasks and self._bar.tasks[-1].description == text:
            self._bar.reset(self._task, total=total)
            return
        self.finish()
        self._task = self._bar.add_task(text, total=total)
        self._bar.start()

    def advance(self, n: int) -> None:
        """Add ``n`` to what is done."""
        if self._task is not None:
            self._bar.advance(self._task, n)

    def finish(self) -> None:
        """End the current bar; its last state stays on the screen and is not drawn again with the next one."""
        self._bar.stop()
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None


class StepBar:
    """The bar of a training: loss, steps a second, time left.

    Args:
        console: where to draw; stderr by default. Where it is no terminal, a line a minute takes the bar's place.
        clock: seconds.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console = console or Console(stderr=True)
        self._clock = clock
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            CountRateColumn("steps"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._loss: float | None = None
        self._steps = self._taken = 0
        self._said = clock()

    def start(self, first: int, steps: int) -> None:
        """Begin; some steps may have been taken before."""
        self._taken, self._steps = first, steps
        self._bar.add_task("loss", total=steps, completed=first)
        self._bar.start()

    def step(self, loss: float) -> None:
        """One more step; the loss that is shown is smoothed over about twenty."""
        self._loss = loss if self._loss is None else 0.95 * self._loss + 0.05 * loss
        for task in self._bar.task_ids:
            self._bar.update(task, advance=1, description=f"loss {self._loss:.4f}")
        self._taken += 1
        if not self._console.is_terminal and self._clock() - self._said >= _A_LINE:
            self._said = self._clock()
            self._console.print(f"hqdata: step {self._taken:,} of {self._steps:,}, loss {self._loss:.4f}")

    def finish(self) -> None:
        """End; the last state stays on the screen."""
        self._bar.stop()
