"""Both services of a data folder, and the addresses under which the application finds them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from hospital.localdb.broker import Broker
from hospital.localdb.places import Place
from hospital.localdb.postgres import Postgres
from hospital.localdb.roles import APPLICATION, DATABASE, OWNER, ensure_roles


@dataclass(frozen=True)
class LocalServices:
    """Addresses with passwords in them: never print, never log."""

    database_url: str
    owner_url: str
    broker_url: str
    cache_url: str
    passwords: str

    def environment(self) -> dict[str, str]:
        """The same as environment variables, by the names that the settings read."""
        names = {
            "database_url": "DATABASE_URL",
            "owner_url": "DATABASE_OWNER_URL",
            "broker_url": "CELERY_BROKER_URL",
            "cache_url": "CACHE_URL",
            "passwords": "DATABASE_PASSWORDS",  # pragma: allowlist secret
        }
        return {names[key]: value for key, value in asdict(self).items()}

    def __repr__(self) -> str:
        return "LocalServices(…)"


def reserve(data_dir: Path) -> LocalServices:
    """Where the services are, or will be: makes passwords and ports, starts nothing."""
    place = Place.at(data_dir)
    place.make()
    return _addresses(place)


def ensure(data_dir: Path, *, durable: bool = True) -> LocalServices:
    """Start what does not run, make what is missing; the second time it takes milliseconds.

    Raises LocalServicesFailed. Without `durable` a crash of the machine loses data: for tests.
    """
    place = Place.at(data_dir)
    with place.locked():
        server = Postgres(place, durable=durable)
        server.ensure()
        ensure_roles(server)
        Broker(place).ensure()
        return _addresses(place)


def stop(data_dir: Path) -> None:
    """Stop both, the broker first. Nothing happens where nothing runs."""
    place = Place.at(data_dir)
    if not place.data_dir.is_dir():
        return
    with place.locked():
        Broker(place).stop()
        Postgres(place).stop()


def status(data_dir: Path) -> dict[str, bool]:
    """Which of the two run."""
    place = Place.at(data_dir)
    return {"postgres": Postgres(place).is_running(), "broker": Broker(place).is_running()}


def _addresses(place: Place) -> LocalServices:
    database = f"127.0.0.1:{place.port('postgres')}/{DATABASE}"
    broker = f"redis://:{place.password('broker')}@127.0.0.1:{place.port('broker')}"
    return LocalServices(
        database_url=f"postgres://{APPLICATION}:{place.password('application')}@{database}",
        owner_url=f"postgres://{OWNER}:{place.password('owner')}@{database}",
        broker_url=f"{broker}/0",
        cache_url=f"{broker}/1",
        passwords=str(place.data_dir / "secrets"),
    )
