"""The database and the broker that come along, for a machine that has neither.

`ensure` starts both below one data folder and is safe to call from many processes at once;
`reserve` only says where they will be. With DATABASE_URL and CELERY_BROKER_URL in the environment
none of this is used. Knows nothing of Django, so that it can run before the settings are read.

    <data>/postgres/         the cluster and its log, owned by whoever runs the server
    <data>/broker/           the broker's append-only file and its log
    <data>/secrets/          one password a file, random, readable by the owner alone
    <data>/ports/            one port a file: kept, so that addresses survive a restart
"""

from hospital.localdb.places import LocalServicesFailed
from hospital.localdb.services import LocalServices, ensure, reserve, status, stop

__all__ = ["LocalServices", "LocalServicesFailed", "ensure", "reserve", "status", "stop"]
