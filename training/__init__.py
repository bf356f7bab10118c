"""Training of HQ-SAM variants: the only place that may import torch."""
