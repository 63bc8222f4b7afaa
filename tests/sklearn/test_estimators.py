"""Classifiers and regressors in scikit-learn: training, its options, and tools of scikit-learn."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_moons
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tinytorch_activations import GELU, ReLU
from tinytorch_layers import Conv2d, Flatten, Linear, Sequential, Unflatten
from tinytorch_losses import HuberLoss
from tinytorch_sklearn import Classifier, Regressor
from tinytorch_training import AdamW, Callback

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
ORDER = np.random.default_rng(0).permutation(len(Y))
X, Y = ((X - X.mean(axis=0)) / X.std(axis=0))[ORDER], Y[ORDER]
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]
FAST = {
    "hidden_layer_sizes": 8,
    "batch_size": 50,
    "learning_rate_init": 0.05,
    "max_iter": 20,
    "random_state": 0,
}
LINE = X @ np.array([1.0, -2.0, 0.5, 1.0])

both = pytest.mark.parametrize(
    ("estimator", "target"), [(Classifier(**FAST), NAMES), (Regressor(**FAST), LINE)]
)


def arrays(model):
    return [p.data for p in model.module_.parameters()]


def same(model, other):
    return all(map(np.array_equal, arrays(model), arrays(other)))


class Epochs(Callback):
    """Counts epochs."""

    seen = 0

    def on_epoch_end(self, trainer, numbers):
        self.seen += 1


class TestFit:
    def test_a_classifier_learns_classes_of_any_type(self):
        model = Classifier(**FAST).fit(X, NAMES)
        assert model.score(X, NAMES) > 0.95
        assert model.classes_.tolist() == ["setosa", "versicolor", "virginica"]
        proba = model.predict_proba(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        np.testing.assert_allclose(np.log(proba), model.predict_log_proba(X), atol=1e-6)
        assert (model.classes_[proba.argmax(axis=1)] == model.predict(X)).all()

    def test_a_regressor_predicts_numbers_in_the_shape_of_the_targets(self):
        model = Regressor(**FAST).fit(X, LINE)
        assert model.predict(X).shape == LINE.shape
        assert model.score(X, LINE) > 0.9
        several = Regressor(**FAST).fit(X, np.stack([LINE, -LINE], axis=1))
        assert several.predict(X).shape == (len(X), 2)

    @both
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_network_has_the_dtype_of_the_inputs(self, estimator, target, dtype):
        model = clone(estimator).fit(X.astype(dtype), target)
        assert {a.dtype for a in arrays(model)} == {np.dtype(dtype)}

    @both
    def test_random_state_determines_the_result(self, estimator, target):
        one, again = (clone(estimator).fit(X, target) for _ in range(2))
        other = clone(estimator).set_params(random_state=1).fit(X, target)
        assert same(one, again)
        assert not same(one, other)

    @both
    def test_the_course_of_the_training_is_recorded(self, estimator, target):
        model = clone(estimator).fit(X, target)
        assert len(model.loss_curve_) == model.n_iter_ == 20
        assert model.t_ == 60
        assert model.loss_ == model.loss_curve_[-1] < model.loss_curve_[0]
        assert model.best_loss_ == min(model.loss_curve_)
        assert model.n_features_in_ == 4

    def test_training_ends_when_the_loss_no_longer_improves(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = Classifier(**{**FAST, "tol": 10.0, "n_iter_no_change": 3}).fit(X, Y)
        assert model.n_iter_ == 5  # the first epoch improves, and 4 more than 3 do not
        with pytest.warns(ConvergenceWarning, match="max_iter=20"):
            Classifier(**FAST).fit(X, Y)

    @both
    def test_early_stopping_restores_the_best_weights(self, estimator, target):
        model = clone(estimator).set_params(
            early_stopping=True, validation_fraction=0.2, n_iter_no_change=2, max_iter=40
        )
        model.fit(X, target)
        assert len(model.validation_scores_) == model.n_iter_
        assert model.best_validation_score_ == max(model.validation_scores_)
        assert model.best_loss_ is None

    @both
    def test_warm_start_continues_with_the_weights(self, estimator, target):
        model = clone(estimator).set_params(warm_start=True).fit(X, target)
        first = model.loss_
        assert model.fit(X, target).loss_curve_[0] < 2 * first
        cold = clone(estimator).fit(X, target)
        assert cold.fit(X, target).loss_curve_[0] > 2 * first

    def test_warm_start_refuses_other_classes(self):
        model = Classifier(**FAST, warm_start=True).fit(X[Y < 2], Y[Y < 2])
        with pytest.raises(ValueError, match="not among those"):
            model.fit(X, Y)

    def test_partial_fit_trains_for_one_epoch(self):
        model = Classifier(**FAST)
        for i in range(30):
            part = slice(i % 3, None, 3)
            model.partial_fit(X[part], NAMES[part], classes=np.unique(NAMES))
        assert (model.n_iter_, len(model.loss_curve_)) == (30, 30)
        assert model.score(X, NAMES) > 0.9
        regressor = Regressor(**FAST).partial_fit(X, LINE).partial_fit(X, LINE)
        assert regressor.n_iter_ == 2

    def test_partial_fit_needs_the_same_classes_and_targets(self):
        with pytest.raises(ValueError, match="classes="):
            Classifier(**FAST).partial_fit(X, Y)
        model = Classifier(**FAST).partial_fit(X, Y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match="in the first call"):
            model.partial_fit(X, Y, classes=[0, 1])
        regressor = Regressor(**FAST).partial_fit(X, LINE)
        with pytest.raises(ValueError, match="2 targets, but had 1"):
            regressor.partial_fit(X, np.stack([LINE, LINE], axis=1))
        for stopping in (Classifier(early_stopping=True), Regressor(early_stopping=True)):
            options = {"classes": [0, 1, 2]} if isinstance(stopping, Classifier) else {}
            with pytest.raises(ValueError, match="early_stopping"):
                stopping.partial_fit(X, Y, **options)


class TestWeights:
    @both
    def test_a_weight_counts_like_repeated_examples(self, estimator, target):
        model = clone(estimator).set_params(batch_size=len(X))
        weight = np.ones(len(X))
        weight[:50] = 2
        twice = np.concatenate([np.arange(len(X)), np.arange(50)])
        weighted = clone(model).fit(X, target, sample_weight=weight)
        repeated = model.set_params(batch_size=len(twice)).fit(X[twice], target[twice])
        for a, b in zip(arrays(weighted), arrays(repeated), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)

    def test_class_weights_shift_the_predictions(self):
        noisy, classes = make_moons(200, noise=0.6, random_state=0)
        shares = [
            np.mean(Classifier(**FAST, class_weight=w).fit(noisy, classes).predict(noisy) == 0)
            for w in ({0: 10.0, 1: 1.0}, None, "balanced", {0: 1.0, 1: 10.0})
        ]
        assert shares[0] > shares[1] > shares[3]
        assert shares[2] == shares[1]  # the classes are balanced
        with pytest.raises(ValueError, match="pass a dict"):
            Classifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


def convolutional(n_outputs, generator, channels=2):
    return Sequential(
        Flatten(),
        Unflatten(1, (1, 8, 8)),
        Conv2d(1, channels, 3, generator=generator),
        ReLU(),
        Flatten(),
        Linear(36 * channels, n_outputs, generator=generator),
    )


class TestModules:
    def test_a_function_builds_the_network(self):
        images = np.random.default_rng(0).normal(size=(20, 64))
        classes = (images[:, 0] > 0).astype(int)
        model = Classifier(
            module=convolutional, module_params={"channels": 3}, max_iter=2, random_state=0
        )
        model.fit(images, classes)
        assert model.module_[2].weight.shape[0] == 3
        assert model.predict_proba(images).dtype == np.float32  # the dtype of the module
        assert same(model, clone(model).fit(images, classes))
        # Images may keep their axes.
        model.fit(images.reshape(-1, 8, 8), classes).predict(images.reshape(-1, 8, 8))

    def test_a_module_is_copied(self):
        module = Linear(4, 3, generator=0)
        before = module.weight.data.copy()
        model = Classifier(module=module, max_iter=2).fit(X, Y)
        assert np.array_equal(module.weight.data, before)
        assert not np.array_equal(model.module_.weight.data, before)
        clone(model).fit(X, Y)

    @pytest.mark.parametrize(
        ("module", "error", "words"),
        [
            (3, TypeError, "a Module or a function"),
            (lambda: 3, TypeError, "must return a Module"),
            (Linear(4, 2), ValueError, r"\(1, 3\), but returned \(1, 2\)"),
        ],
    )
    def test_a_wrong_module_is_an_error(self, module, error, words):
        with pytest.raises(error, match=words):
            Classifier(module=module, max_iter=1, loss=lambda y, t: (y * y).mean()).fit(X, Y)

    def test_losses_solvers_activations_and_callbacks_of_ours(self):
        counter = Epochs()
        model = Regressor(
            **FAST, loss=HuberLoss(), solver=AdamW, activation=GELU, callbacks=[counter]
        ).fit(X, LINE)
        assert isinstance(model.optimizer_, AdamW)
        assert isinstance(model.module_[1], GELU)
        assert (model.callbacks_[0].seen, counter.seen) == (20, 0)
        sgd = Regressor(**{**FAST, "learning_rate_init": 0.01}, solver="sgd", alpha=0.1)
        assert sgd.fit(X, LINE).score(X, LINE) > 0.8

    def test_compiled_steps_give_the_same_weights(self):
        one, other = (Classifier(**FAST, compile=c).fit(X, Y) for c in (False, True))
        assert same(one, other)

    @pytest.mark.peers("jax")
    def test_compiled_by_xla(self):
        model = Classifier(**FAST, compile="xla", early_stopping=True).fit(X, Y)
        assert type(model.predict_proba(X)) is np.ndarray
        assert model.score(X, Y) > 0.8


class TestTools:
    @both
    def test_a_fitted_estimator_can_be_pickled(self, estimator, target):
        model = clone(estimator).set_params(callbacks=[Epochs()]).fit(X, target)
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(copy.predict(X), model.predict(X))
        if isinstance(model, Regressor):  # continues bit for bit
            assert same(model.partial_fit(X, target), copy.partial_fit(X, target))

    @both
    def test_pipelines_and_cross_validation(self, estimator, target):
        line = make_pipeline(StandardScaler(), clone(estimator))
        assert cross_val_score(line, X * 100, target, cv=2).min() > 0.8

    @pytest.mark.peers  # the start of the processes takes 10 s
    def test_a_grid_search_with_several_jobs(self):
        search = GridSearchCV(Classifier(**FAST), {"alpha": [1e-4, 1e3]}, cv=2, n_jobs=2).fit(
            X, NAMES
        )
        assert search.best_params_ == {"alpha": 1e-4}
        assert search.best_estimator_.score(X, NAMES) > 0.9


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "error", "words"),
        [
            ({"max_iter": 0}, ValueError, "max_iter of Classifier must be positive"),
            ({"n_iter_no_change": 1.5}, TypeError, "n_iter_no_change"),
            ({"alpha": -1}, ValueError, "alpha"),
            ({"tol": "small"}, TypeError, "tol"),
            ({"early_stopping": True, "validation_fraction": 1}, ValueError, "validation_fraction"),
            ({"batch_size": 0}, ValueError, "batch_size"),
            ({"batch_size": "all"}, TypeError, "batch_size"),
            ({"hidden_layer_sizes": (0,)}, ValueError, "hidden_layer_sizes"),
            ({"activation": "rellu"}, ValueError, "relu"),
            ({"activation": ["relu"]}, ValueError, "activation must be one of"),
            ({"solver": "lbfgs"}, ValueError, "'adam', 'sgd', or an optimizer"),
        ],
    )
    def test_a_wrong_parameter_is_an_error_in_fit(self, options, error, words):
        model = Classifier(**{**FAST, **options})
        with pytest.raises(error, match=words):
            model.fit(X, Y)

    def test_a_large_batch_warns(self):
        model = Classifier(**{**FAST, "batch_size": 1000})
        for train in (model.fit, model.partial_fit):
            with pytest.warns(
                UserWarning, match="batch_size=1000 of Classifier is larger"
            ) as found:
                train(X, Y)
            assert {warning.filename for warning in found} == {__file__}  # the line of the user

    @both
    @pytest.mark.parametrize("weight", [-1.0, 0.0])
    def test_weights_must_be_positive(self, estimator, target, weight):
        with pytest.raises(ValueError, match=r"sample_weight of .* must be 0 or more|non-zero"):
            clone(estimator).fit(X, target, sample_weight=np.full(len(X), weight))

    def test_several_labels_for_an_example_are_refused(self):
        with pytest.raises(ValueError, match=r"multilabel|shape"):
            Classifier(**FAST).fit(X, np.stack([Y == 0, Y == 1], axis=1).astype(int))

    @both
    def test_an_estimator_must_be_fitted(self, estimator, target):
        with pytest.raises(NotFittedError):
            clone(estimator).predict(X)
