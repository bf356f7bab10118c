"""Archive members become samples: pairing by layout, one gate to decode, fixed rules for masks and orientation."""
