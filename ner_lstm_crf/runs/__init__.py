"""Training runs: from data and a configuration to a model in a directory, interrupted or not.

train                `train`: the whole way from data to a tagger, with what the command line shares
run                  start here, at `Run.epochs`: the life of a run, and the files in its directory
data                 what a run learns from: `Data` as given, `ResolvedData` with every default decided; the
                     vectors of a frozen transformer, computed once for all epochs and networks
teacher              what a teacher says of the sentences to learn from, computed once for all epochs and networks
lock                 one run writes in a directory at a time
processes            several runs (seeds, heads) and the networks of an ensemble, in turn or in worker processes
worker               what a worker process does
results              figures and learning curves of finished runs; the CRF and the softmax beside each other
card                 the card of a model, README.md
display              what a terminal shows of long work
"""
