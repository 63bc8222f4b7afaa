"""The commands of `tinytorch`, one module for each.

A module has two functions: `add_to(commands)` adds the command's parser, and `run(chosen)` does
what the arguments say and returns the exit status.
"""
