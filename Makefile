# Every door into Vigil. `make help` lists them. Plain make: nothing has to be installed but Python, Node.js and git.

DEMO ?= 1
PORT ?= 8000
export DEMO PORT

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-bench run test lint bench torture lock clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1|/' | awk -F'|' '{printf "%-14s %s\n", $$1, $$2}'
	@echo
	@echo "  DEMO=0 make run        start empty: no simulated hospital, no demo users"
	@echo "  make bench ONLY=1,4    some figures; QUICK=1 a short look that counts for nothing"
	@echo "  PORT=9000 make run     another port (default 8000); HOST and HOSPITAL_DATA_DIR (default var/) likewise"

setup: ## Install what is locked, build the board; afterwards .venv/bin/python manage.py works
	@python=$$(scripts/find-python) && "$$python" scripts/setup.py all

setup-run:
	@python=$$(scripts/find-python) && "$$python" scripts/setup.py run

run: setup-run ## Set up and start everything, with a simulated hospital; Ctrl-C stops it
	@exec .venv/bin/python manage.py run

test: setup ## Run every check: linters, types, tests, the browser's journey
	@exec .venv/bin/python scripts/check.py

lint: setup ## Run the checks that run no tests
	@exec .venv/bin/python scripts/check.py --lint

setup-bench:
	@python=$$(scripts/find-python) && "$$python" scripts/setup.py bench

bench: setup-bench ## Measure how fast it is and beside what, into bench/results/
	@exec .venv/bin/python -m bench $(if $(filter-out 0,$(QUICK)),--quick) $(if $(ONLY),--only $(ONLY))

torture: setup ## Read 100,000 damaged files, then kill workers and database 200 times while they ingest
	@exec .venv/bin/python -m tests.torture --reports bench/results $(ARGS)

lock: setup ## Write requirements/*.txt anew from requirements/*.in (for developers)
	@exec .venv/bin/python scripts/lock.py

clean: ## Throw away what was made (not var/, which holds data)
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache frontend/node_modules frontend/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
