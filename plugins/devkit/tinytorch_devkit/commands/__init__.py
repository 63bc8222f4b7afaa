"""The commands that the devkit adds to `tinytorch`."""
