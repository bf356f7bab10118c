"""One exception tree. Every message says what happened, what was expected, what was got, what was done, what to do.

Use :func:`explain` to build a message, so that all of them read alike.
"""


def explain(what: str, *, expected: object = None, got: object = None, did: str = "", do: str = "") -> str:
    """Join the parts of an error message, one a line; parts that are not given are left out.

    >>> print(explain("size differs", expected=10, got=9, do="fetch it again"))
    size differs
      expected: 10
      got:      9
      to do:    fetch it again
    """
    parts = [("expected", expected), ("got", got), ("done", did or None), ("to do", do or None)]
    lines = [f"  {name + ':':<9} {value}" for name, value in parts if value is not None]
    return "\n".join([what, *lines])


class HQDataError(Exception):
    """Base of every error that hqdata raises on purpose."""


class UsageError(HQDataError):
    """Options or arguments that do not fit together."""


class ManifestError(HQDataError):
    """A manifest or recipe that is malformed, or a name that no manifest carries."""


class TermsNotAccepted(HQDataError):
    """A source whose terms the user has not accepted yet."""


class DownloadError(HQDataError):
    """A transfer that failed on every mirror."""


class Truncated(DownloadError):
    """A transfer or an archive that ended before its stated end."""


class Refused(DownloadError):
    """The host refuses the file to this address for good: 400 (of expired tokens), 401, 403 or 410."""


class StaleLink(DownloadError):
    """A signed link that is no longer good."""


class QuotaExceeded(DownloadError):
    """The host refuses the file for now because too many people fetched it."""


class ChecksumMismatch(DownloadError):
    """Bytes whose size or sha256 differs from the published or locked one."""


class UnsafeArchive(HQDataError):
    """An archive that holds links, devices, names that leave the folder, or more bytes than allowed."""


class ArchiveError(HQDataError):
    """An archive that cannot be read, cannot be found, or cannot be told from another."""


class DecodeError(HQDataError):
    """Image or mask bytes that cannot become a sample; ``reason`` is the short word of the reject row."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["DecodeError"], tuple[str, str]]:
        """Pickle by both arguments: the default keeps only the message."""
        return (DecodeError, (self.reason, self.detail))


class CountMismatch(HQDataError):
    """A recipe's stated counts and the samples at hand differ."""


class StoreCorrupt(HQDataError):
    """A collection whose files do not agree with its index."""


class QueryError(HQDataError):
    """A query that cannot be answered: a wrong name, wrong syntax, or more time, memory or rows than allowed."""


class QueryRefused(QueryError):
    """A statement that is no question: it would write, change settings, or read more than the registered tables."""


class DiskFull(HQDataError):
    """Not enough room to write; states path, needed and free bytes."""
