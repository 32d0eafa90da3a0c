"""The parts of `scripts/benchmark.py`: one file a command, and what they share."""
