"""The layers, by what they do; `tinytorch_layers` has them all."""
