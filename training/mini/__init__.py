"""sam-mini: a small SAM, pretrained on drawn pictures with coarse masks, and the recipe that made it."""
