"""The runnable recipes that the commands run, each readable in a minute."""
