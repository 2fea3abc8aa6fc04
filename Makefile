# `make demo` and `make test` set up .venv by themselves.
PYTHON ?= python3
VENV ?= .venv
EXTRAS ?= dev
# Other versions than the newest, for an environment of their own: make test VENV=.venv218 TENSORFLOW=2.18
TENSORFLOW ?=
KERAS ?=
VERSIONS := $(if $(TENSORFLOW),"tensorflow==$(TENSORFLOW).*") $(if $(KERAS),"keras==$(KERAS).*")
# Two processes, each with whole files, in the order of their names: long ones do not come last.
PYTEST_FLAGS ?= --numprocesses 2 --dist loadfile --no-loadscope-reorder
ADDONS_PYTHON ?= python3.11
ADDONS_VENV ?= .venv-addons
BIN := $(VENV)/bin
# Extras that are named on the command line are installed once, whatever is installed already.
COMMA := ,
INSTALLED := $(VENV)/.installed$(if $(filter command,$(origin EXTRAS)),-$(subst $(COMMA),-,$(EXTRAS)))
DEMO ?= demo
PICTURES := $(foreach n,1 2 3 4,ILSVRC2012_val_0000000$(n).JPEG)

.PHONY: help setup demo test test-slow test-addons $(ADDONS_VENV) multi-worker-test lint format clean

help:
	@echo "make demo       archives -> Beam -> TFRecords -> training -> evaluation -> SavedModel -> prediction"
	@echo "make test       the test suite        make test-slow   the long tests"
	@echo "make test-addons    the test suite with TensorFlow 2.15 and TensorFlow Addons, in $(ADDONS_VENV)"
	@echo "make multi-worker-test   two training processes on loopback, killed and resumed"
	@echo "make flink-test the job on Apache Flink, its machines killed in mid-job (Java 17 and Maven)"
	@echo "make lint       ruff                  make clean       remove .venv, demo and caches"

setup: $(INSTALLED)

$(INSTALLED): setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else \
	"expected Python 3.11 to 3.13, received %d.%d; name another with: make PYTHON=python3.12 ..." % v)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable ".[$(EXTRAS)]" $(VERSIONS)
	@touch $(VENV)/.installed $@

# TensorFlow Addons load with Python 3.11 and TensorFlow 2.15 alone.
$(ADDONS_VENV):
	@command -v $(ADDONS_PYTHON) >/dev/null || { echo "expected Python 3.11, received no $(ADDONS_PYTHON);\
	 name it with: make ADDONS_PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	@$(ADDONS_PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v == (3, 11) else \
	"expected Python 3.11, received %d.%d; name it with: make ADDONS_PYTHON=/path/to/python3.11 ..." % v)'
	@$(MAKE) --no-print-directory setup VENV=$@ PYTHON=$(ADDONS_PYTHON) EXTRAS=addons,dev

# Each step's result is a file, so an interrupted or repeated demo goes on where it is.
demo: $(DEMO)/data/dataset_info.json
	$(BIN)/python -m preprocessing verify $(DEMO)/data
	$(BIN)/python -m alexnet_tf.train --config configs/demo.yaml --data $(DEMO)/data --run $(DEMO)/run
	$(BIN)/python -m alexnet_tf.evaluate --run $(DEMO)/run --data $(DEMO)/data --views 1
	$(BIN)/python -m alexnet_tf.evaluate --run $(DEMO)/run --data $(DEMO)/data --views 10
	$(BIN)/python -m alexnet_tf.visualize --run $(DEMO)/run --data $(DEMO)/data --output $(DEMO)/figures --html
	$(BIN)/python -m alexnet_tf.export --run $(DEMO)/run --output $(DEMO)/model --overwrite
	mkdir -p $(DEMO)/pictures
	tar -xf $(DEMO)/archives/ILSVRC2012_img_val.tar -C $(DEMO)/pictures $(PICTURES)
	$(BIN)/python -m alexnet_tf.predict --model $(DEMO)/model $(addprefix $(DEMO)/pictures/,$(PICTURES))
	@echo "All of the run on one page: $(DEMO)/figures/report.html"
	@echo "The training's curves: $(BIN)/tensorboard --logdir $(DEMO)/run"

$(DEMO)/data/dataset_info.json: $(DEMO)/archives/ILSVRC2012_devkit_t12.tar.gz | setup
	$(BIN)/python -m preprocessing convert --source ilsvrc2012 \
	    --input $(DEMO)/archives --output $(DEMO)/data --image-size 144

$(DEMO)/archives/ILSVRC2012_devkit_t12.tar.gz: | setup
	$(BIN)/python -m preprocessing sample --output $(DEMO)/archives

test: setup
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

# Of the long tests those of what differs most between the versions: strategies and checkpoints.
test-addons: $(ADDONS_VENV)
	@$(MAKE) --no-print-directory test VENV=$(ADDONS_VENV)
	$(ADDONS_VENV)/bin/python -m pytest $(PYTEST_FLAGS) -m slow -k "not dropout and not optimizers and not workers" \
	    tests/alexnet_tf/training/test_equality.py

test-slow: setup
	$(BIN)/python -m pytest $(PYTEST_FLAGS) -m slow

multi-worker-test: setup
	$(BIN)/python -m pytest -v -m "slow or not slow" tests/alexnet_tf/training/test_multi_worker.py

flink-test: setup
	$(BIN)/python -m pytest -rA -m slow tests/preprocessing/job/test_flink.py

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(ADDONS_VENV) $(DEMO) .flink build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
