# Windows has other names: python, and Scripts in a virtual environment.
WINDOWS := $(filter Windows_NT,$(OS))
PYTHON ?= $(if $(WINDOWS),python,python3)
SCRIPTS := $(if $(WINDOWS),Scripts,bin)
VENV := .venv
BIN := $(VENV)/$(SCRIPTS)
PIP := $(BIN)/python -m pip --disable-pip-version-check
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
# The pip options that select versions; empty for the newest versions that the metadata allows.
CONSTRAINTS := -c constraints.txt
DISTRIBUTIONS := $(patsubst %/,%,$(dir $(PROJECTS)))
EXAMPLES := $(patsubst %/,%,$(wildcard examples/plugins/*/))

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z.-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(VENV)/installed ## train a network on handwritten digits
	$(BIN)/python examples/digits_mlp.py

# One BLAS thread per test process: more would compete for the cores that -n auto fills.
.PHONY: test
test: export OMP_NUM_THREADS = 1
test: export OPENBLAS_NUM_THREADS = 1
test: $(VENV)/installed ## run the tests; TESTS="tests/core -x" selects some
	$(BIN)/pytest -n auto -q $(TESTS)

.PHONY: check
check: $(VENV)/installed ## lint, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(VENV)/installed ## format the code and fix what ruff can fix
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

# Use the oldest supported Python: newer ones may get versions that do not support it.
.PHONY: constraints
constraints: ## write the newest versions into constraints.txt
	rm -rf $(VENV)
	$(MAKE) $(VENV)/installed CONSTRAINTS=
	(grep '^#' constraints.txt; $(PIP) freeze --exclude-editable) > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt

.PHONY: peers
peers: $(VENV)/peers-installed ## install the frameworks we compare with

# Needs a network: it downloads the suite from GitHub.
.PHONY: array-api
array-api: $(VENV)/installed ## compare with NumPy in the test suite of the array API standard
	$(BIN)/python .ci/array_api.py $(VENV)/array-api-tests

.PHONY: bench
bench: $(VENV)/peers-installed ## measure against those frameworks; BENCH="--help" lists options
	$(BIN)/python -m benchmarks $(BENCH)

# With FULL_GALLERY=1, the examples are trained as long as they are by default.
.PHONY: docs docs-serve
docs: $(VENV)/docs-installed ## build the documentation into site/, and the page of NumPy functions
	$(BIN)/python -m docs.numpy_functions
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-serve: $(VENV)/docs-installed ## show the documentation at http://127.0.0.1:8000
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

# Remove build/ before and after: setuptools would pack deleted modules that are left in it.
.PHONY: wheels
wheels: BUILT := $(DISTRIBUTIONS) $(EXAMPLES)
wheels: $(VENV)/installed ## build the wheel of every distribution into dist/, of examples into dist/examples/
	rm -rf dist $(BUILT:%=%/build)
	$(PIP) wheel --quiet --no-build-isolation --no-deps --wheel-dir dist $(DISTRIBUTIONS)
	$(PIP) wheel --quiet --no-build-isolation --no-deps --wheel-dir dist/examples $(EXAMPLES)
	@ls dist dist/examples
	rm -rf $(BUILT:%=%/build) $(BUILT:%=%/*.egg-info)

.PHONY: version
version: ## give every distribution a version: make version VERSION=0.2.0
	$(PYTHON) .ci/set_version.py $(VERSION)

.PHONY: urls
urls: ## write public addresses: make urls REPOSITORY=https://... SITE=https://...
	$(PYTHON) .ci/set_urls.py "$(REPOSITORY)" "$(SITE)"

.PHONY: release
release: FRESH := $(VENV)/release
release: wheels ## build what is published, check it, install it elsewhere and run the demo with it
	$(PIP) install --quiet build twine check-wheel-contents $(CONSTRAINTS)
	$(BIN)/python .ci/sdists.py build dist
	rm -rf *.egg-info
	$(BIN)/twine check --strict dist/*.whl dist/*.tar.gz
	$(BIN)/check-wheel-contents dist/*.whl
	rm -rf $(FRESH)
	$(PYTHON) -m venv $(FRESH)
	$(FRESH)/$(SCRIPTS)/python -m pip --disable-pip-version-check install --quiet $(CONSTRAINTS) \
	    dist/*.whl --find-links dist "tinytorch-training[plot]" scikit-learn
	$(FRESH)/$(SCRIPTS)/python -m pip --disable-pip-version-check check
	$(FRESH)/$(SCRIPTS)/tinytorch doctor
	$(FRESH)/$(SCRIPTS)/python examples/digits_mlp.py $(FRESH)

# In an environment of their own, which also has what the tests need.
.PHONY: test-sdists
test-sdists: FRESH := $(VENV)/sdists
test-sdists: ## run the tests in the sdists of plugins, after `make release`
	rm -rf $(FRESH)
	$(PYTHON) -m venv $(FRESH)
	$(PYTHON) .ci/sdists.py requirements dist > $(FRESH)/requirements.txt
	$(FRESH)/$(SCRIPTS)/python -m pip --disable-pip-version-check install --quiet $(CONSTRAINTS) \
	    "setuptools>=77" dist/*.whl -r $(FRESH)/requirements.txt
	$(FRESH)/$(SCRIPTS)/python .ci/sdists.py test dist

.PHONY: clean
clean: ## remove everything that make creates
	rm -rf $(VENV) dist site .mypy_cache .pytest_cache .ruff_cache .hypothesis
	rm -rf $(foreach d,$(DISTRIBUTIONS) $(EXAMPLES),$(d)/build $(d)/*.egg-info)
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Without build isolation, because pip would create an environment for each of our packages.
# Remove the *.egg-info folders that editable installs leave: in the root of the repository,
# Python would find them before the real metadata. Compile the packages, as pip does for those that
# it copies: the tests start hundreds of processes, which compile them again where Python may not
# write bytecode.
$(VENV)/installed: requirements-dev.txt constraints.txt $(PROJECTS)
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet "setuptools>=77"
	$(PIP) install --quiet --no-build-isolation -r requirements-dev.txt $(CONSTRAINTS)
	rm -rf $(DISTRIBUTIONS:%=%/*.egg-info)
	$(BIN)/python -m compileall -q $(patsubst %/__init__.py,%,$(wildcard */__init__.py plugins/*/*/__init__.py))
	@touch $@

$(VENV)/docs-installed: $(VENV)/installed requirements-docs.txt
	$(PIP) install --quiet -r requirements-docs.txt $(CONSTRAINTS)
	@touch $@

$(VENV)/peers-installed: $(VENV)/installed requirements-peers.txt
	$(PIP) install --quiet -r requirements-peers.txt $(CONSTRAINTS)
	@touch $@
