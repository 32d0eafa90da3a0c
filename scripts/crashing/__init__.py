"""The parts of `scripts/crash.py`.

trainings.py    trainings that are killed and resumed
outputs.py      files of `convert` and `tag` whose command is killed
faults.py       operations on files that fail; faults.c lets them
processes.py    processes that are forked from this one, and what they leave
"""
