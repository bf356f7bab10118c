"""Named points where a test may end the process, to prove that a build survives it. Nothing happens otherwise."""

import os

_WANTED = os.environ.get("HQDATA_FAULT", "")


def fault_point(name: str) -> None:
    """End the process at once, without clean-up, if ``HQDATA_FAULT=after:NAME`` asked for it."""
    if _WANTED and f"after:{name}" == _WANTED:
        os._exit(137)
