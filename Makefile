# On a fresh machine with Python 3.11 or newer and make: `make run` serves, `make test` tests.
# Options go in ARGS: make run ARGS="--port 9000 --no-demo"; make test ARGS="-k fold".

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export UV_NO_PROGRESS := 1

.PHONY: run test lint bench soak promise roles image mutations lock sbom audit clean

run: $(VENV)/.run
	@exec $(BIN)/barograph serve --demo $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m tests.machine
	@exec $(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev
	@exec $(BIN)/python -m tests.bench $(ARGS)

# The tests of docs/reliability.md in large: up to two hours; ARGS="--only cuts --seconds 60" for one, shorter.
soak: $(VENV)/.dev
	@$(BIN)/python -m tests.machine
	@exec $(BIN)/python -m tests.soak $(ARGS)

# What shows a row of docs/reliability.md: ARGS=R3; without one, the list of them.
promise: $(VENV)/.dev
	@$(BIN)/python -m tests.machine
	@exec $(BIN)/python -m tests.promises $(ARGS)

# Every route of the router asked as nobody, a sender, a viewer, a responder and an admin: the table, exit 1 at a hole.
roles: $(VENV)/.dev
	@exec $(BIN)/python -m tests.role_table

# The image built and run for real, its size and start time: by docker, podman or buildah; ARGS="--base IMAGE" for another base.
image: $(VENV)/.dev
	@exec $(BIN)/python -m tests.image $(ARGS)

# Code changes that must each turn a test red, made in a copy: about ten minutes; ARGS="--only jitter" for one.
mutations: $(VENV)/.dev
	@$(BIN)/python -m tests.machine
	@exec $(BIN)/python -m tests.soak.mutations $(ARGS)

# After a change of the dependencies in pyproject.toml; ARGS=--upgrade takes the newest versions.
COMPILE = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate $(ARGS)
lock: $(VENV)/.dev
	$(COMPILE) --group setup -o requirements-setup.lock
	$(COMPILE) pyproject.toml -o requirements.lock
	$(COMPILE) -c requirements-setup.lock -c requirements.lock pyproject.toml --group dev -o requirements-dev.lock
	$(COMPILE) --group release -o requirements-release.lock

# For a release; both need the network, and only when they are called. The tools stand in an environment of their own, so
# that the bill of materials names what runs and nothing else.
RELEASE := build/release
sbom: $(RELEASE)/.tools
	@$(PYTHON) -m venv --clear --without-pip $(RELEASE)/run
	@$(BIN)/uv pip install --quiet --python $(RELEASE)/run/bin/python --require-hashes -r requirements.lock
	@$(RELEASE)/tools/bin/cyclonedx-py environment $(RELEASE)/run/bin/python --pyproject pyproject.toml \
	  --mc-type application --output-reproducible --of JSON -o $(RELEASE)/barograph.cdx.json
	@echo $(RELEASE)/barograph.cdx.json

audit: $(RELEASE)/.tools
	@$(RELEASE)/tools/bin/pip-audit --disable-pip --require-hashes -r requirements.lock $(ARGS)

$(RELEASE)/.tools: $(VENV)/.run requirements-release.lock
	@mkdir -p $(RELEASE)
	@$(PYTHON) -m venv --clear $(RELEASE)/tools
	@$(BIN)/uv pip install --quiet --python $(RELEASE)/tools/bin/python --require-hashes -r requirements-release.lock
	@touch $@

clean:
	rm -rf $(VENV) build dist barograph.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# uv is several times as fast as pip but does not read pip's configuration: where it finds no index, pip takes over.
install = $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(2) -r $(1) \
	|| { echo "uv could not install $(1); trying pip" >&2; \
	     $(BIN)/python -m pip install --quiet --require-hashes -r $(1); }

# The stamps are written last, so an installation that was cut off is done again; a first one starts from nothing.
$(VENV)/.run: requirements-setup.lock requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Barograph needs Python 3.11 or newer as $(PYTHON); name another with make PYTHON=python3.12" >&2; exit 1; }
	@echo "setting up $(VENV)" >&2
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV) \
	|| { echo "$(PYTHON) has no venv module; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-setup.lock
	@$(call install,requirements.lock,--compile-bytecode)
	@$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	@echo "setting up the tools of the tests" >&2
	@$(call install,requirements-dev.lock,--compile-bytecode)
	@touch $@
