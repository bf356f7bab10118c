"""The ``hqdata`` command: thin shells around pipelines and collections."""
