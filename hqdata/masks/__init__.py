"""Pure functions on masks and images: arrays in, figures out. Nothing here reads or writes a file."""
