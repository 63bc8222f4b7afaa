"""The checks of each chapter. `EXERCISES` of a module lists its checks and solutions in order."""
