"""What a model can say about data: which sentences to annotate next, and which annotations may be wrong.

selection    `select`: the sentences of a pool that a model is least sure of (active learning).
suspects     `find_suspects`: entities that a model, trained on the other sentences, finds improbable.
"""
