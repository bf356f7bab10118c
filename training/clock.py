"""Where the seconds of a training go. On a GPU its own events are read, so that measuring makes nobody wait."""

import contextlib
import time
from collections.abc import Iterator

import torch


class Clock:
    """Seconds by word.

    Args:
        device: what the measured work runs on.
    """

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: dict[str, float] = {}
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextlib.contextmanager
    def on_host(self, word: str) -> Iterator[None]:
        """Count the time in which this process itself is busy or waits."""
        begun = time.perf_counter()
        yield
        self._seconds[word] = self._seconds.get(word, 0.0) + time.perf_counter() - begun

    @contextlib.contextmanager
    def on_device(self, word: str) -> Iterator[None]:
        """Count the time that the device works."""
        if not self._cuda:
            with self.on_host(word):
                yield
            return
        begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begun.record()
        yield
        ended.record()
        self._events.append((word, begun, ended))

    def collect(self) -> None:
        """Add up what the device has finished. Call it after something that waited for the device."""
        for word, begun, ended in self._events:
            self._seconds[word] = self._seconds.get(word, 0.0) + begun.elapsed_time(ended) / 1000
        self._events.clear()

    @property
    def seconds(self) -> dict[str, float]:
        """By word, so far."""
        return dict(self._seconds)
