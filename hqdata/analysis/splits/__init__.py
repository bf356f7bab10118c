"""Splits: asking for one, choosing its masks, controls that differ in one thing, saving it, telling two apart."""
