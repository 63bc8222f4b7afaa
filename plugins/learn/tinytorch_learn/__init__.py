"""Checks, solutions and pictures for the learning path "Grow your own framework"."""

from tinytorch_learn.exercise import check, exercises
from tinytorch_learn.graph import draw_graph
from tinytorch_learn.picture import Picture, draw_curves
from tinytorch_learn.registering import plug_in

__version__ = "0.1.0"

__all__ = ["Picture", "check", "draw_curves", "draw_graph", "exercises", "plug_in"]
