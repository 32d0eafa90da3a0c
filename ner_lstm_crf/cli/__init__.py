"""The command line: the only room that prints, and the only one that knows of a user at a terminal.

main           start reading here: finds the command, runs it, turns errors into one line and an exit code
options        the parser, the options that commands share, the flags made from the fields of the configuration
output         results on standard output, entities in colours and in HTML, what comes next
train          from options to a saved model: configuration, files, runs, results
compare        the steps of `train` for the CRF and the softmax head, side by side
tag            streams of texts and files through a tagger
evaluate       scores, and the errors behind them; `score` shares them
score, inspect, convert, corpora    the other commands, one file each
"""
