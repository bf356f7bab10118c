"""What a transfer tells about itself. The bar is injected, so that nothing below the command line draws anything."""

from collections.abc import Callable
from typing import Protocol


class Progress(Protocol):
    """One thing at a time that grows towards a total."""

    def start(self, name: str, total: int | None) -> None:
        """Begin, or begin again from zero; ``total`` is None where it is not known."""

    def advance(self, n: int) -> None:
        """Add ``n`` to what is done."""

    def finish(self) -> None:
        """End what :meth:`start` began, whether it succeeded or not."""


class SilentProgress:
    """Shows nothing."""

    def start(self, name: str, total: int | None) -> None:
        """Ignore it."""

    def advance(self, n: int) -> None:
        """Ignore it."""

    def finish(self) -> None:
        """Ignore it."""


SILENT = SilentProgress()


def staged(bar: Progress) -> Callable[[str, int], Callable[[int], None]]:
    """Progress of work in stages, each with a name and a total, on one bar."""

    def stage(name: str, total: int) -> Callable[[int], None]:
        bar.start(name, total)
        return bar.advance

    return stage
