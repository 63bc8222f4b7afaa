"""Loss functions for the TinyTorch Tensor: functions and classes."""

from typing import TYPE_CHECKING

# Imported first: importing the core imports the active plugins, including this one.
from tinytorch_core.extend import lazy_names

from tinytorch_losses.binary import binary_cross_entropy, binary_cross_entropy_with_logits
from tinytorch_losses.classification import cross_entropy, nll_loss
from tinytorch_losses.divergence import kl_div
from tinytorch_losses.regression import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from tinytorch_losses.softmax import log_softmax

if TYPE_CHECKING:
    from tinytorch_losses.ctc import (
        ctc_loss,
    )
    from tinytorch_losses.likelihood_modules import (
        CTCLoss,
        FocalLoss,
        GaussianNLLLoss,
        PoissonNLLLoss,
    )
    from tinytorch_losses.likelihoods import (
        gaussian_nll_loss,
        poisson_nll_loss,
        sigmoid_focal_loss,
    )
    from tinytorch_losses.margin_modules import (
        CosineEmbeddingLoss,
        HingeEmbeddingLoss,
        MarginRankingLoss,
        MultiLabelSoftMarginLoss,
        SoftMarginLoss,
        TripletMarginLoss,
    )
    from tinytorch_losses.margins import (
        cosine_embedding_loss,
        hinge_embedding_loss,
        margin_ranking_loss,
        multilabel_soft_margin_loss,
        soft_margin_loss,
        triplet_margin_loss,
    )
    from tinytorch_losses.modules import (
        BCEWithLogitsLoss,
        BinaryCrossEntropyLoss,
        CrossEntropyLoss,
        HuberLoss,
        KLDivLoss,
        L1Loss,
        Loss,
        MSELoss,
        NLLLoss,
        SmoothL1Loss,
    )

__version__ = "0.1.0"

__all__ = [
    "BCEWithLogitsLoss",
    "BinaryCrossEntropyLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "FocalLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "Loss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelSoftMarginLoss",
    "NLLLoss",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cosine_embedding_loss",
    "cross_entropy",
    "ctc_loss",
    "gaussian_nll_loss",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "log_softmax",
    "margin_ranking_loss",
    "mse_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "poisson_nll_loss",
    "sigmoid_focal_loss",
    "smooth_l1_loss",
    "soft_margin_loss",
    "triplet_margin_loss",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ctc": "ctc_loss",
        "likelihood_modules": "CTCLoss FocalLoss GaussianNLLLoss PoissonNLLLoss",
        "likelihoods": "gaussian_nll_loss poisson_nll_loss sigmoid_focal_loss",
        "margin_modules": "CosineEmbeddingLoss HingeEmbeddingLoss MarginRankingLoss "
        "MultiLabelSoftMarginLoss SoftMarginLoss TripletMarginLoss",
        "margins": "cosine_embedding_loss hinge_embedding_loss margin_ranking_loss "
        "multilabel_soft_margin_loss soft_margin_loss triplet_margin_loss",
        "modules": "BCEWithLogitsLoss BinaryCrossEntropyLoss CrossEntropyLoss HuberLoss KLDivLoss "
        "L1Loss Loss MSELoss NLLLoss SmoothL1Loss",
    },
)
