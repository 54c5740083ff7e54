# Every door into Vigil. `make help` lists them. Plain make: nothing has to be installed but Python, Node.js and git.

DEMO ?= 1
PORT ?= 8000
# On which stage of AWS, by whom, why.
STAGE ?=
BY ?=
WHY ?=
export DEMO PORT STAGE BY WHY

.DEFAULT_GOAL := help
.PHONY: help setup setup-run setup-bench run test lint unit browser bench torture lock clean
.PHONY: aws-test audit secrets sbom rehearse evidence deploy smoke watch rollback drill plan infra-test
.PHONY: with-stage

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

unit: setup ## Run the tests that need no browser
	@exec .venv/bin/python scripts/check.py --only vitest pytest

browser: setup ## Run the journeys in a browser
	@exec .venv/bin/python scripts/check.py --only "build of the board" "journeys in Chromium"

aws-test: setup ## Go the journey to AWS and back, on an emulator on this machine
	@VIGIL_NEEDS_TOOLS=1 exec .venv/bin/python -m pytest tests/aws -q

secrets: setup ## Look for secrets in what is tracked
	@exec .venv/bin/python scripts/check.py --only secrets

sbom: setup ## Write down what Vigil is made of, into .cache/sbom
	@exec .venv/bin/python scripts/sbom.py

audit: setup ## Ask the public lists for known holes (needs the internet)
	@.venv/bin/python scripts/setup.py audit
	@exec .venv/bin/python scripts/audit.py

rehearse: setup ## Go through the runbooks with an invented hospital
	@exec .venv/bin/python -m pytest tests/runbooks -q

setup-bench:
	@python=$$(scripts/find-python) && "$$python" scripts/setup.py bench

bench: setup-bench ## Measure how fast it is and beside what, into bench/results/
	@exec .venv/bin/python -m bench $(if $(filter-out 0,$(QUICK)),--quick) $(if $(ONLY),--only $(ONLY))

torture: setup ## Read 100,000 damaged files, then kill workers and database 200 times while they ingest
	@exec .venv/bin/python -m tests.torture --reports bench/results $(ARGS)

# What follows acts on a stage on AWS, with whatever credentials it finds: docs/pipeline.md.

# Before anything is made: what lacks a stage is not to be found out after minutes.
with-stage:
	@test -n "$$STAGE" || { echo "Say on which stage: make $(firstword $(MAKECMDGOALS)) STAGE=dev (or staging, production)." >&2; exit 2; }

deploy: with-stage setup ## Deploy STAGE (dev, staging, production) on AWS
	@.venv/bin/python scripts/setup.py audit
	@PATH="$$PWD/.cache/tools/audit/bin:$$PATH" exec .venv/bin/python scripts/inside.py tunnel "$$STAGE" -- \
	    .venv/bin/python manage.py deploy "$$STAGE" --by "$$BY"

evidence: with-stage setup ## Hand in, on STAGE, what GitHub says of this commit (in its own runs alone)
	@exec .venv/bin/python scripts/inside.py tunnel "$$STAGE" -- .venv/bin/python scripts/evidence.py "$$STAGE"

smoke: with-stage setup ## Ask STAGE from outside whether it works
	@HOSPITAL_AWS_STAGE="$$STAGE" exec .venv/bin/python manage.py smoke alive ready sign-in frontend status-page

watch: with-stage setup ## Watch the error rate of STAGE for a quarter of an hour
	@exec .venv/bin/python scripts/watch.py "$$STAGE"

rollback: with-stage setup ## Bring STAGE back to the version before, with WHY
	@exec .venv/bin/python scripts/inside.py tunnel "$$STAGE" -- .venv/bin/python manage.py rollback "$$STAGE" \
	    --by "$${BY:-the pipeline}" --why "$${WHY:-It does not work since its last deployment.}"

drill: with-stage setup ## Restore the newest backup of STAGE beside its record, inside AWS
	@exec .venv/bin/python scripts/inside.py run "$$STAGE" --minutes 80 -- python manage.py drill

plan: with-stage setup ## Show what the infrastructure's code would change of STAGE
	@.venv/bin/python scripts/setup.py plan
	@exec .venv/bin/python scripts/plan.py "$$STAGE"

infra-test: setup ## Judge the infrastructure's code; with a real plan where terraform is at hand
	@exec .venv/bin/python -m pytest tests/infra -q -rs

lock: setup ## Write requirements/*.txt anew from requirements/*.in (for developers)
	@exec .venv/bin/python scripts/lock.py

clean: ## Throw away what was made (not var/, which holds data)
	rm -rf .venv .cache .hypothesis .import_linter_cache .mypy_cache frontend/node_modules frontend/dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
