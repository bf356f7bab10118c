"""The user's lock file: size and sha256 of archives whose hash nobody publishes, as they were first seen.

A later download that differs is an error until the user removes the entry: publishers do replace files in silence.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from hqdata.errors import ChecksumMismatch, HQDataError, explain
from hqdata.fsio.atomic import write_json
from hqdata.fsio.lock import locked


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What an archive looked like when it was first seen."""

    size: int
    sha256: str


class LockFile:
    """Locks by ``owner/archive``, kept as sorted JSON."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def _load(self) -> dict[str, Lock]:
        if not self.path.exists():
            return {}
        try:
            stored = json.loads(self.path.read_text())
            return {key: Lock(size=int(entry["size"]), sha256=str(entry["sha256"])) for key, entry in stored.items()}
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise HQDataError(explain(f"{self.path} is no lock file", got=error, do="mend it or remove it")) from error

    def get(self, owner: str, archive: str) -> Lock | None:
        """Lock of an archive, None where it was never seen."""
        return self._load().get(f"{owner}/{archive}")

    def put(self, owner: str, archive: str, lock: Lock) -> None:
        """Record an archive.

        Raises:
            ChecksumMismatch: it was seen before with other bytes.
        """
        with locked(self.path.with_name(self.path.name + ".lock")):
            entries = self._load()
            key = f"{owner}/{archive}"
            if entries.get(key, lock) != lock:
                raise ChecksumMismatch(
                    explain(
                        f"{key} differs from what was locked on first use",
                        expected=f"{entries[key].size:,} bytes, sha256 {entries[key].sha256}",
                        got=f"{lock.size:,} bytes, sha256 {lock.sha256}",
                        do=f"if the publisher replaced it on purpose, remove the entry from {self.path}",
                    )
                )
            if key not in entries:
                write_json(self.path, {name: asdict(entry) for name, entry in {**entries, key: lock}.items()})
