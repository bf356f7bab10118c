"""Ways to adapt a frozen SAM: what is added and what is trained."""
