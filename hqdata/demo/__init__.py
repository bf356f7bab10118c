"""Draws the small synthetic stand-ins of the sources that the demo and the tests build from."""
