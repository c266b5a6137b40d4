"""Everything an operator can set: one model, read from ``vo.toml`` under ``VO_*`` variables, printed by ``vo config``."""

import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, IPvAnyNetwork, ValidationError, field_validator, model_validator

from vo_server.errors import SetupError

ENVIRONMENT_PREFIX = "VO_"
FORM_BYTES = 4 << 20
"""What a form may hold besides uploads."""

DEFAULT_FILE = Path("vo.toml")


def _words(value: object) -> object:
    """What the environment says in one text, as a list."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Networks = Annotated[tuple[IPvAnyNetwork, ...], BeforeValidator(_words)]
"""Addresses and networks, in the environment separated by commas."""


Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
"""Texts, in the environment separated by commas or blanks."""


class Settings(BaseModel):
    """All settings. Each is a key of ``vo.toml`` and, in capitals behind ``VO_``, an environment variable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: str | None = Field(
        None,
        description="PostgreSQL 14 to 18 (postgresql://user:password@host/db). Absent: an embedded PostgreSQL 18 under data_dir.",
    )
    query_database_url: str | None = Field(
        None, description="Login for users' queries, read-only by grants. Absent: database_url, then SET ROLE."
    )
    publish_database_url: str | None = Field(None, description="Login that may create tables. Absent: database_url.")
    replica_database_urls: Words = Field(
        (),
        description="Logins for users' queries at servers that follow this one by streaming replication; the primary answers for a replica "
        "that is away or behind, and queries with uploads.",
    )
    role_prefix: str = Field("vo", description="Prefix of the database roles that `vo db init` creates.", pattern=r"^[a-z][a-z0-9_]{0,30}$")
    data_dir: Path = Field(Path("vo-data"), description="Directory for the embedded database, datasets and results.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, description="Port to listen on.", ge=1, le=65535)
    public_url: str | None = Field(
        None,
        description="The address users see (https://vo.example.org); all links are built from it. Absent: http://host:port.",
    )
    default_maxrec: int = Field(20_000, description="Rows of a TAP answer without MAXREC and without TOP.", ge=1)
    hard_maxrec: int = Field(20_000_000, description="More rows than this never leave in one answer.", ge=1)
    sync_seconds: int = Field(60, description="Longest database time of a synchronous query.", ge=1)
    query_connections: int = Field(8, description="Connections to PostgreSQL for queries, per server process.", ge=1, le=200)
    reserved_connections: int = Field(
        2, description="Of query_connections, those that TAP leaves to cone searches and other short requests.", ge=0, le=199
    )
    user_queries: int = Field(
        4, description="Synchronous TAP queries of one user (one address) at once, and as many short requests; more of them wait.", ge=1
    )
    user_jobs: int = Field(
        1000, description="Asynchronous jobs of one user (one address) that have not ended; more are refused until some have.", ge=1
    )
    user_running_jobs: int = Field(
        4,
        description="Of these, those that run or are next at once; the others wait for them, and other users' jobs go first.",
        ge=1,
    )
    waiting_queries: int = Field(
        64, description="Queries that wait for their turn, a quarter of them of one user; more are sent away.", ge=0
    )
    waiting_seconds: int = Field(10, description="A query that has waited so long is sent away, to try again later.", ge=0)
    trusted_proxies: Networks = Field(
        (ip_network("127.0.0.1"), ip_network("::1")),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For is believed.",
    )
    spool_dir: Path | None = Field(
        None,
        description="Directory for the rows that slow readers have not taken yet, so that they hold no connection. Absent: the system's "
        "temporary directory, which should be on disk.",
    )
    spool_megabytes: int = Field(1024, description="Most of one answer that is spooled so; then the database waits for the reader.", ge=0)
    spool_total_megabytes: int = Field(
        8192,
        description="Most that is spooled for all readers of one server process together; half of it for one answer whose rows must all "
        "be there before the first can leave (FITS).",
        ge=0,
    )
    async_seconds: int = Field(3600, description="Longest database time of an asynchronous job that does not ask for another.", ge=1)
    hard_async_seconds: int = Field(86_400, description="No job gets more database time than this.", ge=1)
    retention_hours: int = Field(168, description="A job and its result are destroyed so long after its creation.", ge=1)
    hard_retention_hours: int = Field(720, description="No job asks to be kept longer than this, counted from when it asks.", ge=1)
    result_store: str | None = Field(
        None,
        description="Where results of jobs are kept: a directory that server and workers share, or s3://bucket/path. "
        "Absent: results below data_dir.",
    )
    embedded_worker: bool | None = Field(
        None, description="Whether `vo serve` runs jobs itself. Absent: only with the embedded database; else start `vo worker`."
    )
    worker_concurrency: int = Field(2, description="Jobs that one worker runs at the same time.", ge=1, le=100)
    stalled_seconds: int = Field(
        20, description="A worker that has given no sign of life for so long is taken for dead, and its jobs are run again.", ge=2, le=3600
    )
    upload_rows: int = Field(1_000_000, description="Most rows of a table that comes with a query (TAP's UPLOAD).", ge=1)
    upload_bytes: int = Field(
        100_000_000, description="Most bytes that all tables of one query have together, packed as well as unpacked.", ge=1000
    )
    user_upload_bytes: int = Field(
        1_000_000_000,
        description="Most bytes that the tables and parameters of all jobs of one user (one address) have together, until the jobs are "
        "destroyed; more are refused.",
        ge=1000,
    )
    upload_networks: Networks = Field(
        (),
        description="Private networks from which tables are fetched when UPLOAD names an address there "
        "(10.1.0.0/16, ::1/128). Absent: public addresses only.",
    )
    upload_seconds: int = Field(60, description="Longest time to fetch a table from the address that UPLOAD names.", ge=1)
    max_query_length: int = Field(200_000, description="Longest ADQL text, in characters.", ge=1000)
    newer_features: bool = Field(
        False,
        description="Declare COALESCE and MOC as what they are in ADQL 2.1 and for pyvo.registry.Spatial; validators that are older warn "
        "of that. Otherwise they are declared as user-defined functions.",
    )
    newer_records: bool = Field(
        False,
        description="Say in registry records what newer standards and drafts know: neutrinos among the wavebands (VODataService 1.2), "
        "productTypeServed (draft of 1.3), SCS2 (draft). The registry of registries still refuses such records.",
    )
    votable_version: str = Field(
        "1.4", description="VOTable version of answers: 1.4, which all clients read, or 1.5; errors are 1.4.", pattern=r"^1\.[45]$"
    )
    mivot: bool = Field(
        False,
        description="Annotate VOTables by MIVOT: which columns are the main position of a table's rows, with its frame and epoch, proper "
        "motion, parallax and errors, in words of the data model MANGO (a working draft), for pyvo.mivot.",
    )
    partition_rows: int = Field(
        50_000_000, description="`vo publish` divides a table with positions and more rows than this into partitions by position.", ge=1000
    )
    processes: int = Field(
        1,
        description="Server processes on the same port. With two or more SIGHUP replaces them one by one, and no request is lost.",
        ge=1,
        le=64,
    )
    shutdown_seconds: int = Field(5, description="A server that ends gives answers under way so long to come to their end.", ge=0, le=3600)
    log_format: str = Field(
        "text", description="What is logged to stderr: lines for people (text) or for machines (json).", pattern="^(text|json)$"
    )
    log_requests: bool = Field(False, description="Log each request: what, how long, how many rows and bytes, from whom.")
    aladin_url: str = Field(
        "https://aladin.cds.unistra.fr/AladinLite/api/v3/latest/aladin.js",
        description="Where browsers load Aladin Lite from, for the page that shows rows and footprints over images of the sky. "
        "Empty: no such page.",
        pattern=r"^(https?://[^\s;,'\"]+)?$",
    )
    title: str = Field("vo-server", description="Name of the site on its pages.")

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/") if value else value

    @model_validator(mode="after")
    def _in_order(self) -> "Settings":
        for lower, upper in (
            ("async_seconds", "hard_async_seconds"),
            ("retention_hours", "hard_retention_hours"),
            ("upload_bytes", "user_upload_bytes"),
        ):
            if getattr(self, lower) > getattr(self, upper):
                raise ValueError(f"{lower} is larger than {upper}")
        return self

    @property
    def results_url(self) -> str:
        """Where results of jobs are kept."""
        return self.result_store or str(self.data_dir.resolve() / "results")

    @property
    def previews(self) -> Path:
        """Where pictures of images are kept."""
        return self.data_dir.resolve() / "previews"

    @property
    def serve_runs_jobs(self) -> bool:
        """Whether `vo serve` has a worker inside."""
        return self.database_url is None if self.embedded_worker is None else self.embedded_worker

    @property
    def body_bytes(self) -> int:
        """Most bytes of a request: uploads, and what is said about them."""
        return self.upload_bytes + FORM_BYTES

    @property
    def thesaurus(self) -> Path:
        """Where the thesaurus of subjects is kept once `vo registry check` has fetched it."""
        return self.data_dir / "uat.json"

    @property
    def base_url(self) -> str:
        """The public base URL: what every link starts with."""
        return self.public_url or f"http://{self.host}:{self.port}"


def load(file: Path | None = None, environment: dict[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings in force: ``vo.toml`` (or `file`), over it ``VO_*`` variables, over them `overrides` from the command line.

    Raises SetupError that names an unknown key, or the setting that does not fit, and where it came from.
    """
    values, _ = origins(file, environment, overrides)
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise SetupError(
            f"The settings do not fit: {faults}.", hint="See `vo config` for all settings and where each value comes from."
        ) from None


def origins(file: Path | None, environment: dict[str, str] | None, overrides: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """The value of each setting that is set somewhere, and where. An unknown name raises SetupError."""
    variables = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    path = file or DEFAULT_FILE
    if path.is_file():
        for key, value in _toml(path).items():
            _known(key, str(path))
            values[key], sources[key] = value, str(path)
    elif file is not None:
        raise SetupError(f"There is no settings file {file}.")
    for name, text in variables.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            key = name[len(ENVIRONMENT_PREFIX) :].lower()
            _known(key, f"the environment variable {name}")
            values[key], sources[key] = text, name
    for key, value in overrides.items():
        if value is not None:
            values[key], sources[key] = value, "command line"
    return values, sources


def _known(key: str, where: str) -> None:
    if key not in Settings.model_fields:
        raise SetupError(f"{where} sets {key!r}, which is not a setting.", hint=f"Settings are: {', '.join(Settings.model_fields)}.")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SetupError(f"{path} is not TOML: {error}.") from None
