"""What the layers compute, as functions of Tensors or arrays, named as in torch.nn.functional."""

from tinytorch_layers.functional.affine import linear

__all__ = ["linear"]
