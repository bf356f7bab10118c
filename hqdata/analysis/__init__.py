"""Questions about collections."""
