"""Classifiers and regressors for scikit-learn, on top of the Trainer."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins.
from tinytorch_core.extend import lazy_names

if TYPE_CHECKING:
    from tinytorch_sklearn.classifier import Classifier
    from tinytorch_sklearn.regressor import Regressor

__version__ = "0.1.0"

__all__ = ["Classifier", "Regressor"]

__getattr__, __dir__ = lazy_names(__name__, {"classifier": "Classifier", "regressor": "Regressor"})
