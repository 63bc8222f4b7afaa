"""The layers, grouped by purpose; `tinytorch_layers` exports all of them."""
