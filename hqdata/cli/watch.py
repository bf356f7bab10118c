"""How the command line looks on at a training: a bar on a terminal, notes on stderr, signals that ask it to stop."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from hqdata.cli.progress import StepBar


class Watch:
    """An :class:`~hqdata.training.observer.Observer`."""

    def __init__(self) -> None:
        self.signal: int | None = None
        """The one that asked to stop."""
        self._bar = StepBar()

    def start(self, first: int, steps: int) -> None:
        """Show the bar."""
        self._bar.start(first, steps)

    def step(self, loss: float) -> None:
        """Move it."""
        self._bar.step(loss)

    def note(self, text: str) -> None:
        """Print a line."""
        print(f"hqdata: {text}", file=sys.stderr)

    def stopping(self) -> bool:
        """Whether a signal came."""
        return self.signal is not None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Leave the bar on the screen as it is at the end."""
        try:
            yield
        finally:
            self._bar.finish()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Note SIGINT and SIGTERM instead of ending by them; of the same one, the second ends the process."""

        def note(number: int, _: FrameType | None) -> None:
            self.signal = number
            # Not the other as well: torchrun sends SIGTERM after a Ctrl-C that its processes have seen, too.
            signal.signal(number, before[number])

        before: dict[int, Any] = {one: signal.signal(one, note) for one in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)
