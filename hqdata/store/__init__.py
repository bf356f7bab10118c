"""Collections on disk: writing shards, publishing, reading, verifying."""
