"""Places to run the one pure shard function."""
