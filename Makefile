# Every target sets itself up: nothing has to be installed by hand before `make run` or `make test`.
# PORT, DATA_DIR and NODES are read from the environment by `make run`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.8
# What converts uploaded checkpoints and trains the sample weights; serving never imports it. Installed by pip,
# outside the lock: which build fits (CPU, CUDA) is the machine's affair.
TORCH_VERSION := 2.13.0
# The original packages, which make genuine checkpoints for a test: GPL and AGPL, so in a folder of their own that
# nothing of the product imports.
GENUINE := yolov5==7.0.14 ultralytics==8.4.190
# Container images: which, their names, and what builds them.
IMAGES := filters yolov5 gan classifier node web converter
LOCKED := filters weights node web converter
REGISTRY ?= pixelyard
IMAGE_TAG ?= 0.1.0
BUILD_IMAGE ?= $(shell docker info >/dev/null 2>&1 && echo docker build || echo buildah build --format docker --layers)
export UV_SYSTEM_CERTS := true
export PYTHONDONTWRITEBYTECODE ?=

.DEFAULT_GOAL := help
.PHONY: help run converter image-locks images test genuine test-browser test-kill test-cluster lint fix types doctor bench lock clean

help: ## Show what can be made
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "Python 3.11 or newer is needed (set PYTHON=/path/to/python3)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) >/dev/null 2>&1 \
	  || { echo "python3 -m venv failed: install the python3-venv package"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

$(VENV)/.base: $(VENV)/.uv pyproject.toml requirements.lock
	@$(BIN)/uv pip install -q --python $(BIN)/python -r pyproject.toml --extra embedded -c requirements.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.uv pyproject.toml requirements.lock
	@$(BIN)/uv pip sync -q --python $(BIN)/python requirements.lock
	@rm -f $(VENV)/.torch
	@touch $@ $(VENV)/.base

$(VENV)/.torch: $(VENV)/.dev
	@$(BIN)/python -m pip install -q --disable-pip-version-check torch==$(TORCH_VERSION)
	@touch $@

$(VENV)/.genuine: $(VENV)/.torch
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --upgrade --target $(VENV)/genuine $(GENUINE)
	@touch $@

# What the converter imports, at the versions of the lock, and torch. Ready only once it is all there.
CONVERTER := .converter
CONVERTER_NEEDS := numpy onnx onnxruntime opencv-python-headless pillow pydantic safetensors simplejpeg

$(CONVERTER)/.ready: $(VENV)/.uv requirements.lock
	@rm -f $@
	@$(PYTHON) -m venv --clear $(CONVERTER)
	@$(BIN)/uv pip install -q --python $(CONVERTER)/bin/python -c requirements.lock $(CONVERTER_NEEDS)
	@$(CONVERTER)/bin/python -m pip install -q --disable-pip-version-check torch==$(TORCH_VERSION)
	@touch $@

run: $(VENV)/.base ## Set up and start everything; Ctrl-C stops it
	@exec $(BIN)/python -m marketplace.embedded

converter: $(CONVERTER)/.ready ## Install what converts checkpoints (torch); make run does it by itself

test: $(VENV)/.genuine ## Set up and run the tests
	@$(BIN)/python -m pytest -n auto
	@$(BIN)/python -m pytest -m "e2e or kill" -n 0

test-cluster: $(VENV)/.dev ## Test on a real Kubernetes cluster; TEST_CLUSTER names the folder that starts one
	@$(BIN)/python -m pytest -m cluster -n 0 tests/cluster

genuine: $(VENV)/.genuine ## Fetch the original YOLOv5 packages, for the tests that compare with them

lint: $(VENV)/.dev ## Check style, types, templates and spelling; change nothing
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@DEBUG=true $(BIN)/mypy
	@$(BIN)/djlint --lint --quiet apps marketplace
	@$(BIN)/codespell

fix: $(VENV)/.dev ## Repair what lint can repair by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

doctor: $(VENV)/.base ## Check every part of an installation and say what to do
	@$(BIN)/python manage.py doctor

bench: $(VENV)/.torch ## Run every benchmark; results land in benchmarks/results
	@$(BIN)/python -m benchmarks all

lock: $(VENV)/.uv ## Resolve the dependencies again
	@$(BIN)/uv pip compile -q --universal --all-extras --generate-hashes --no-emit-index-url \
	  --no-header --no-annotate --upgrade pyproject.toml -o requirements.lock
	@$(MAKE) --no-print-directory image-locks

image-locks: $(VENV)/.uv ## Write what each container image installs, at the versions of the lock
	@for image in $(LOCKED); do \
	  $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --no-annotate \
	    --python-version 3.11 -c requirements.lock requirements/$$image.in -o requirements/$$image.txt || exit 1; done

# An image for each family of apps, one for Django, one for the intake worker. REGISTRY=registry.example.org/pixelyard
# names them for yours; IMAGE_ARGS go to the build, such as --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:…
images: ## Build the container images, with docker or buildah
	@for image in $(IMAGES); do \
	  case $$image in web) file=Dockerfile ;; node) file=model_images/Dockerfile ;; \
	  *) file=model_images/$$image/Dockerfile ;; esac; \
	  $(BUILD_IMAGE) -t $(REGISTRY)/$$image:$(IMAGE_TAG) -f $$file $(IMAGE_ARGS) . || exit 1; done

clean: ## Remove the environments and caches, keep the data
	@rm -rf $(VENV) $(CONVERTER) .mypy_cache .ruff_cache .pytest_cache
