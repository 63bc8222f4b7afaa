"""Export of captured steps as ONNX models."""
