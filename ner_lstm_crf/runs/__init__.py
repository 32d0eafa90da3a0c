"""Training runs: their data, their directories, several side by side, their results."""
