"""ONNX Runtime in a program: no reports to its maker, no thread, nothing that a forked process waits for."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np

from ner_lstm_crf.inference.graph import Graph

_NO_TELEMETRY = "ORT_DISABLE_TELEMETRY"
_LARGE = 1 << 16  # bytes of a constant that is given to the session, not written into the model


def onnx_runtime() -> Any:
    """The module onnxruntime, imported without its telemetry.

    Since version 1.29 it starts a thread when it is imported, which reports to its maker, and which a forked process
    lacks and yet waits for when it ends. A program that has imported it before decides for itself.
    """
    if "onnxruntime" not in sys.modules:
        before = os.environ.get(_NO_TELEMETRY)
        os.environ[_NO_TELEMETRY] = "1"  # it is read once, by the import
        try:
            import onnxruntime
        finally:
            if before is None:
                os.environ.pop(_NO_TELEMETRY, None)
            else:
                os.environ[_NO_TELEMETRY] = before
    import onnxruntime

    return onnxruntime


def session(graph: Graph) -> Any:
    """A session of ONNX Runtime that computes a graph, each call on the thread that makes it.

    No thread is started, so that a process may be forked and the caller's threads need not wait for one another.
    """
    onnxruntime = onnx_runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would plan memory anew for every shape
    options.log_severity_level = 3  # errors; these are raised, too
    large = [name for name, constant in graph.constants.items() if constant.nbytes >= _LARGE]
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(graph.constants[name])) for name in large]
    options.add_external_initializers(large, values)
    model = graph.to_bytes(external=large)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
