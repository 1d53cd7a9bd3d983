# make demo    a finished little release to look at, on an embedded sandbox
# make test    the quick tests; make test ALL=1 the slow and real ones too
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
MARKS := $(if $(ALL),not gpu,not slow and not real and not gpu)

.PHONY: demo test lint lock clean

demo: $(VENV)/.demo
	@$(BIN)/naflora models fetch
	@$(BIN)/naflora build recipes/demo.toml

test: $(VENV)/.test
	@$(if $(ALL),./.ci/apt)
	@$(BIN)/naflora models fetch
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "$(MARKS) and not alone"
	$(if $(ALL),$(BIN)/python -m pytest -m "$(MARKS) and alone")

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/mypy

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "naflora_etl needs Python 3.11 or newer; name one: make PYTHON=python3.12 " + "$(MAKECMDGOALS)")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python requirements.lock pyproject.toml
	@echo "Setting up $(VENV); the first time this takes a minute or two."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.demo requirements-test.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.lock
	@touch $@

clean:
	rm -rf $(VENV) work runs dist

# versions only, no hosts: what `make demo` and `make test` install
lock:
	rm -rf .venv-lock && $(PYTHON) -m venv .venv-lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check ".[flows]"
	.venv-lock/bin/python -m pip freeze --exclude naflora-etl > requirements.lock
	.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0 torchvision==0.28.0 ".[flows,learn,clip,export,dev]"
	.venv-lock/bin/python -m pip freeze --exclude naflora-etl | sed 's,+cpu$$,,' | grep -vxFf requirements.lock > requirements-test.lock
	rm -rf .venv-lock
