"""Runs exported models with onnxruntime, for the tests of the export."""

from __future__ import annotations

import numpy as np

from tinytorch_core import Tensor

from tinytorch_compile import compile

# The names that the outputs for the state end with.
NEXT = ".next"


def session(path):
    """Return a session of onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def outputs(model, feed):
    """Return the outputs of a session by name."""
    names = [output.name for output in model.get_outputs()]
    return dict(zip(names, model.run(names, feed), strict=True))


def arrays(*tensors):
    """Return tensors as arrays."""
    return [t.data if isinstance(t, Tensor) else np.asarray(t) for t in tensors]


def exported(function, path, *args):
    """Export a function for arguments like these, and return what the model computes for them."""
    compile(function).export_onnx(path, *args)
    model = session(path)
    feed = dict(zip((i.name for i in model.get_inputs()), arrays(*args), strict=True))
    return outputs(model, feed)


class TrainingModel:
    """An exported training step, and the state that its outputs have updated."""

    def __init__(self, path):
        self.session = session(path)
        self.state = {}

    def step(self, inputs, targets, **numbers):
        """Run a step, and return the loss."""
        inputs, targets = arrays(inputs, targets)
        found = outputs(
            self.session, {"inputs": inputs, "targets": targets, **self.state, **numbers}
        )
        self.state = {k.removesuffix(NEXT): v for k, v in found.items() if k.endswith(NEXT)}
        return found["output"]
