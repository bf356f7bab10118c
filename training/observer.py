"""What a training tells while it runs, and how it is asked to stop. The loop itself prints nothing."""

from typing import Protocol


class Observer(Protocol):
    """Whoever looks on; only the process that leads tells."""

    def start(self, first: int, steps: int) -> None:
        """Steps begin, from the first up to a number of them."""

    def step(self, loss: float) -> None:
        """One was taken."""

    def note(self, text: str) -> None:
        """Something should be known that is no error."""

    def stopping(self) -> bool:
        """Whether to stop after the step that is under way. Asked in every process."""


class Nobody:
    """Nobody looks on."""

    def start(self, first: int, steps: int) -> None:
        """Ignore it."""

    def step(self, loss: float) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
        """Ignore it."""

    def stopping(self) -> bool:
        """Never."""
        return False


NOBODY = Nobody()
