"""Where hqdata keeps what belongs to the user: accepted terms, lock file, downloaded archives."""

import os
from pathlib import Path

from hqdata.fetch.lockfile import LockFile
from hqdata.fetch.terms import AcceptedTerms


def home() -> Path:
    """``$HQDATA_HOME``, else ``~/.hqdata``."""
    return Path(os.environ.get("HQDATA_HOME") or Path.home() / ".hqdata")


def default_archives() -> Path:
    """Folder where fetched archives are kept."""
    return home() / "archives"


def accepted_terms() -> AcceptedTerms:
    """Record of the terms that this user accepted."""
    return AcceptedTerms(home() / "terms.json")


def lock_file() -> LockFile:
    """Lock file of this user."""
    return LockFile(home() / "archives.lock.json")
