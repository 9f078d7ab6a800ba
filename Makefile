# Each target sets up what it needs by itself and is one line that calls a script or a module.
SETUP = python3 deploy/local/setup.py
VENV = $(or $(DURE_VENV),.venv)
PY = $(VENV)/bin/python
.DEFAULT_GOAL := help
.PHONY: help python setup up down reset status tour seed code shell logs test breakins check bench-intake bench-gateway soak-gateway fuzz-gateway overspend clients bench-audit bench-tenants bench-requests simulate-ledger drill-gateway crowd manifests pins messages bench-billing bench-fleet drill-billing drill-jobs drill-fleet model-fleet test-ray

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12
setup: ## environment, hashed pins, translations
	@$(SETUP) local
python: ## compile an interpreter with a profile out of SOURCE=Python-3.13.x.tar.xz: a faster gateway
	@deploy/local/interpreter.sh $(SOURCE)
up: setup ## start everything on this machine, take the tour, stay until Ctrl-C
	@$(PY) -m deploy.local up
down: setup ## stop a stack that runs in the background
	@$(PY) -m deploy.local down
reset: setup ## stop and drop the data folder
	@$(PY) -m deploy.local reset
status: setup ## what runs
	@$(PY) -m deploy.local status
tour: setup ## do the main job once over the product's own pages and APIs
	@$(PY) -m deploy.local run -m deploy.local.tour
seed: setup ## three believable organizations with a past month and an invoice
	@$(PY) -m deploy.local run manage.py seed_demo
code: setup ## the second factor of the demonstration's operator, as of now
	@$(PY) -m deploy.local run -m deploy.local.code
shell: setup ## Django's shell in the running stack
	@$(PY) -m deploy.local run manage.py shell
logs: ## follow the logs of all programs
	@tail -n 5 -F $(or $(DURE_DATA_DIR),.dure)/logs/*.log
test: ## all tests, on real PostgreSQL and Valkey
	@$(SETUP) dev && $(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder
breakins: ## take each guard away and see its test fail (half an hour)
	@$(SETUP) dev && $(PY) -m tests.breakins.guards
check: ## format, lint, types, imports, templates, migrations, translations
	@$(SETUP) dev && .ci/check
bench-intake: ## events per second into the ledger, exactly once
	@$(SETUP) dev && $(PY) -m bench.intake
bench-gateway: ## the gateway beside nginx and LiteLLM: CPU, latency, overload, memory, bounds judged
	@$(SETUP) dev && $(PY) -m bench.gateway
soak-gateway: ## 500,000 mixed requests over two gateways; what grows, what is left
	@$(SETUP) dev && $(PY) -m bench.soak
fuzz-gateway: ## 200,000 seeded odd requests against a gateway (SEED=… to see them again)
	@$(SETUP) dev && $(PY) -m bench.fuzz --inputs $(or $(INPUTS),200000) $(if $(SEED),--seed $(SEED))
overspend: ## 500 clients on four gateways against ten small budgets
	@$(SETUP) dev && $(PY) -m bench.overspend
clients: ## official clients against a gateway: calls and results as a table
	@$(SETUP) dev && $(PY) -m bench.clients
bench-billing: ## month end of 100,000 organizations with 10,000,000 events (ORGANIZATIONS, EVENTS, YEAR)
	@$(SETUP) dev && $(PY) -m bench.billing --organizations $(or $(ORGANIZATIONS),100000) --events $(or $(EVENTS),10000000) --year $(or $(YEAR),5000000)
bench-fleet: ## 200 sites, 10,000 endpoints, 30,000 replicas: sweep, table, order to first token
	@$(SETUP) dev && $(PY) -m bench.fleet
bench-audit: ## seal and verify a million audit events
	@$(SETUP) dev && $(PY) -m bench.audit
bench-tenants: ## every page with 1,000 organizations behind it, verifying their logs, what the wall costs
	@$(SETUP) dev && $(PY) -m bench.tenants
bench-requests: ## requests and limits pages of an organization with a million entries
	@$(SETUP) dev && $(PY) -m bench.requests
simulate-ledger: ## 2,000 seeded stories from the hold to the invoice, with programs killed in between
	@$(SETUP) dev && $(PY) -m bench.simulate_ledger
drill-gateway: ## kill, cut back and break a whole stack under load; compare every request (50 min)
	@$(SETUP) dev && $(PY) -m bench.drill
drill-billing: ## month ends with two schedulers, killed at 50 random points; count every won (25 min)
	@$(SETUP) dev && $(PY) -m bench.drill_billing
drill-jobs: ## a job of 5,000 lines whose worker and engine are killed: 5,000 results, 5,000 charges (LINES, KILLS)
	@$(SETUP) dev && $(PY) -m bench.drill_jobs --lines $(or $(LINES),5000) --kills $(or $(KILLS),20)
drill-fleet: ## three sites under load, killed, hung, cut off, drained, updated; what clients saw (25 min)
	@$(SETUP) dev && $(PY) -m bench.drill_fleet
model-fleet: ## 10,000 steps of deeds and faults in any order over misbehaving sites (STEPS, SEED)
	@$(SETUP) dev && $(PY) -m bench.model_fleet --steps $(or $(STEPS),10000) $(if $(SEED),--seed $(SEED))
crowd: ## 1,000 organizations, 20,000 members, 1,000,000 audit events into the running stack
	@$(PY) -m deploy.local run -m bench.crowd
manifests: ## each Kubernetes object that is sent or shipped, with the strict schema's verdict
	@$(SETUP) dev && $(PY) -m tests.fakes.kubernetes.verdicts
test-ray: ## a real Ray cluster, in a network of its own: deploy, update, kill, lose nodes and head
	@$(SETUP) dev && $(SETUP) ray && unshare -rnpf --kill-child --mount-proc sh -c 'ip link set lo up; exec "$$@"' sh env DURE_RAY_VENV=$(abspath $(VENV)-ray) $(PY) -m pytest -c tests/ray/pytest.ini --rootdir . --noconftest tests/ray
pins: ## hashed pins out of pyproject.toml
	@$(SETUP) dev && $(PY) -m deploy.local.pins
messages: ## collect the texts to translate and compile them
	@$(SETUP) dev && $(PY) -m deploy.messages collect
