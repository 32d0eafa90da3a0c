"""Tagging without torch: networks as ONNX graphs, which ONNX Runtime computes.

graph.py          a writer of ONNX models
"""
