"""Tagging without torch: networks as ONNX graphs, which ONNX Runtime computes, and one sentence alone in C.

graph.py              a writer of ONNX models
network_graph.py      a network as parts of such a model
quantized_network.py  its encoder in 8 bits
type_vectors.py       the vectors of word types, computed once
sentence_network.py   the network for one sentence at a time, in C
runtime.py            ONNX Runtime, without its telemetry and threads
engine.py             the networks of a model in tagging; start here
export.py             a model as a graph and a description, for other languages
ecmascript.py         regular expressions in the words of ECMAScript
"""
