# make run     plays the example scenario
# make test    checks style and types and runs every test; one that needs what is not installed is
#              skipped. BARE=1 hides all that is optional, SHUFFLE=1 takes a random order and
#              draws new examples for the properties, which have the same ones each time otherwise
#              (some hundred processes are started: bytecode is kept, also where that is off otherwise)
# make test-core  installs without extras, in an environment of its own, and plays what only simulates
# make system  installs what some tests use beside Python, as root on Debian; they are skipped without
# make bench   times the hot paths, prints ratios, and fails where one fell by a quarter; RENEW=1
#              writes what it measures as the references
# make bench-plot  draws the cost of a request beside SimPy, SimGrid, salabim and ciw, in the
#              environment of make peers
# make docs    builds the documentation into build/site
# make peers   compares with timm, four optics libraries, Triton's client and two simulators, in an
#              environment of their own
# make audit   looks for known vulnerabilities of what .venv has, and prints a table of licences
# They build a virtual environment in .venv first, once for each change of the requirements.

PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/.installed

CORE := .venv-core
PEERS := .venv-peers
AUDIT := .venv-audit
ALIKE := tests/optics/peers/requirements.txt tests/partition/peers/requirements.txt \
	tests/partition/peers/with-dependencies.txt tests/edgesim/serve/peers/requirements.txt \
	tests/benchmarks/peers/requirements.txt

.PHONY: run test test-core lint system bench bench-plot docs peers audit clean

run: $(STAMP)
	$(VENV)/bin/edgesim run examples/five-pis.yaml

test: $(STAMP) lint
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 EDGESIM_BARE=$(BARE) $(VENV)/bin/python -m pytest \
		--numprocesses auto --dist loadscope --no-loadscope-reorder $(if $(SHUFFLE),-p randomly) $(PYTEST_ARGS)

test-core: $(CORE)/.installed
	$(CORE)/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	$(CORE)/bin/python -m pytest tests/core $(PYTEST_ARGS)

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# Real images, an independent simulator to compare with, networks between processes, and a browser
# for pages.
SYSTEM := dataset-fashion-mnist python3-simgrid iproute2 chromium

system:
	@if dpkg -s $(SYSTEM) >/dev/null 2>&1; then :; \
	elif [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
		echo "make system: needs root and apt-get; tests that use $(SYSTEM) are skipped without them"; \
	else \
		apt-get update -qq && \
		DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(SYSTEM); \
	fi

bench: $(STAMP)
	EDGESIM_BENCHMARKS=full EDGESIM_RENEW_RATIOS=$(RENEW) OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest tests/benchmarks -s $(PYTEST_ARGS)

bench-plot: $(PEERS)/.installed
	OMP_NUM_THREADS=1 $(PEERS)/bin/python -m tests.benchmarks.peers.cost --scale $(or $(SCALE),1)

docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict

peers: $(PEERS)/.installed
	OMP_NUM_THREADS=1 $(PEERS)/bin/python -m pytest tests/optics/peers tests/partition/peers \
		tests/edgesim/graph/test_timm.py tests/edgesim/graph/test_hugging_face.py \
		tests/edgesim/peers tests/edgesim/serve/peers tests/benchmarks/peers \
		$(PYTEST_ARGS)

# pip-audit says "no known vulnerabilities" of packages that it could not look up, too.
audit: $(STAMP) $(AUDIT)/.installed
	@mkdir -p build; status=0; \
	$(AUDIT)/bin/pip-audit --progress-spinner off --skip-editable \
		--path "$$($(VENV)/bin/python -c '$(SITE)')" >build/audit.txt 2>&1 || status=1; \
	skipped=$$(grep -c 'could not be audited' build/audit.txt); \
	grep -v 'could not be audited' build/audit.txt \
		| { if [ "$$skipped" = 0 ]; then cat; else grep -v '^No known vulnerabilities'; fi; }; \
	$(AUDIT)/bin/pip-licenses --python $(VENV)/bin/python --format markdown; \
	if [ "$$skipped" != 0 ]; then \
		echo "make audit: the database did not know or was not reached for $$skipped packages: nothing is known of them" >&2; status=1; \
	fi; \
	if [ $$status != 0 ]; then echo "make audit: not clean; see above and build/audit.txt" >&2; fi; \
	exit $$status

$(AUDIT)/.installed:
	$(PYTHON) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check pip-audit pip-licenses
	@touch $@

# What .venv has is seen there too, and not installed twice. timm's dependencies are left out: they
# would bring a CUDA build of torch. ciw brings its own tests as the package `tests`, which hides ours.
SITE := import site; print(site.getsitepackages()[0])
$(PEERS)/.installed: $(STAMP) $(ALIKE)
	$(PYTHON) -m venv $(PEERS)
	echo "import site; site.addsitedir('$$($(abspath $(VENV))/bin/python -c '$(SITE)')')" \
		> "$$($(PEERS)/bin/python -c '$(SITE)')/base.pth"
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--requirement tests/optics/peers/requirements.txt \
		--requirement tests/partition/peers/with-dependencies.txt \
		--requirement tests/edgesim/serve/peers/requirements.txt \
		--requirement tests/benchmarks/peers/requirements.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--requirement tests/partition/peers/requirements.txt
	rm -rf "$$($(PEERS)/bin/python -c '$(SITE)')/tests"
	@touch $@

$(CORE)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(CORE)
	$(CORE)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt . pytest
	@touch $@

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; install Python 3.11 or newer" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed; set PYTHON=" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) $(CORE) $(PEERS) $(AUDIT) build dist runs .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
