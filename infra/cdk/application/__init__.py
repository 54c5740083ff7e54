"""The application's layer on AWS: buckets, queues, API, site, roles and the container.

Knows the stages (infra/stages.json) and what the layers hand over (infra/README.md). Must not own
a network, a database, a function or an alarm.
"""
