"""The user's lock file: size and sha256 of archives whose hash nobody publishes, as they were first seen.

A later download that differs is an error until the user removes the entry: publishers do replace files in silence.
"""

import json
from dataclasses import dataclass
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

    def _load(self) -> dict[str, dict[str, int | str]]:
        if not self.path.exists():
            return {}
        try:
            return dict(json.loads(self.path.read_text()))
        except ValueError as error:
            raise HQDataError(explain(f"{self.path} is not JSON", got=error, do="mend it or remove it")) from error

    def get(self, owner: str, archive: str) -> Lock | None:
        """Lock of an archive, None where it was never seen."""
        entry = self._load().get(f"{owner}/{archive}")
        return Lock(size=int(entry["size"]), sha256=str(entry["sha256"])) if entry else None

    def put(self, owner: str, archive: str, lock: Lock) -> None:
        """Record an archive.

        Raises:
            ChecksumMismatch: it was seen before with other bytes.
        """
        with locked(self.path.with_name(self.path.name + ".lock")):
            entries = self._load()
            key = f"{owner}/{archive}"
            new = {"size": lock.size, "sha256": lock.sha256}
            if entries.get(key, new) != new:
                raise ChecksumMismatch(
                    explain(
                        f"{key} differs from what was locked on first use",
                        expected=f"sha256 {entries[key]['sha256']}",
                        got=f"sha256 {lock.sha256}",
                        do=f"if the publisher replaced it on purpose, remove the entry from {self.path}",
                    )
                )
            if key not in entries:
                write_json(self.path, {**entries, key: new})
