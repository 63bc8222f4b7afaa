"""The framework that readers of the learning path write, chapter by chapter.

A chapter imports the modules of the chapters before it, so that each chapter runs on its own.
"""
