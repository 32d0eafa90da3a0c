"""The parts of `scripts/benchmark.py`.

crf.py, training.py, tagging.py, start.py, memory.py  one file per command; memory_child.py runs on its own
handrolled.py, floor.py                               the baseline and the floor of training and tagging
text.py                                               the corpus, read or made
measure.py, report.py                                 timing, and the table of results
"""
