"""Training: a model and encoded sentences in, one report per epoch out; nothing here knows a file.

trainer         start here, at `Trainer.epochs`: epochs of batches, plain or adversarial, and their reports
optimizer       the learning-rate schedule (`learning_rate_factor`), clipping, updates, moving average
sparse_adamw    AdamW for embedding tables, at the cost of the rows that a batch reads
warm_start      a model for new data that starts from the weights of a trained one
"""
