"""Files on disk: atomic publication, locks, digests."""
