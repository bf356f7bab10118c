"""Every byte, pixel, member and time budget in one place, so that one can see what a hostile or broken file may cost.

The defaults fit every source in ``manifests/`` with room to spare: the largest real image there has 24 megapixels, the
largest archive 11,186 pairs per tar or 123,287 images per zip.
"""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets of one build or fetch."""

    member_bytes: int = 256 * MIB
    """Largest image, mask or annotation member that is read."""
    record_bytes: int = 16 * MIB
    """Largest annotation record of one image: as JSON it takes up to thirty times its size in memory."""
    archive_members: int = 1_000_000
    """Most members of one archive."""
    inflation_ratio: int = 100
    """Most that an archive may inflate to, relative to its size on disk; image archives stay near 1."""
    inflation_floor: int = 64 * MIB
    """Archives that inflate to less than this are not held to the ratio."""
    image_pixels: int = 120_000_000
    """Most pixels of one image."""
    name_bytes: int = 1024
    """Longest member name."""
    batch_bytes: int = 64 * MIB
    """A record batch is flushed once it holds this many bytes, which bounds a writer's memory."""
    shard_bytes: int = 192 * MIB
    """A shard is closed once its members sum to this many bytes."""
    shard_rows: int = 1000
    """Most samples of one shard."""
    connect_seconds: float = 30.0
    """Longest wait for a connection, and for one read from it."""
    stall_seconds: float = 120.0
    """A transfer slower than ``stall_bytes`` over this time is given up and retried."""
    stall_bytes: int = 16 * 1024
    """Least progress in ``stall_seconds``."""
    redirects: int = 10
    """Most redirects of one request."""
    attempts: int = 5
    """Tries for one mirror, each resuming where the last one stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLimits:
    """Budgets of one SQL query."""

    seconds: float = 60.0
    """Longest run; the longest of the documented questions takes less than one on 4.4 million masks."""
    memory_bytes: int = 2048 * MIB
    """Most memory of sorts, joins and groups. There is no spilling to disk: a query writes nothing anywhere."""
    rows: int = 10_000_000
    """Most rows of a result: every mask of the largest planned collection (4.4 million), twice."""
    result_bytes: int = 2048 * MIB
    """Most bytes of a result."""
    threads: int | None = None
    """Threads; all cores if None."""
    statement_bytes: int = 256 * 1024
    """Longest statement."""


DEFAULT = Limits()
