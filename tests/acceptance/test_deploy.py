"""The files of deploy/ are what their programs take, and roles.sql makes logins that `vo db init` can work with."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import psycopg
import pytest

from tests.conftest import Server
from vo_server.db.database import Database
from vo_server.db.setup import init
from vo_server.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
PASSWORDS = {"OWNER_PASSWORD": "o", "WEB_PASSWORD": "w", "USERS_PASSWORD": "u", "PUBLIC_URL": "https://vo.example.org"}


def tool(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/lib/postgresql/15/bin")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def run(*command: str | Path, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_systemd_takes_the_units_and_finds_them_tight(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    for unit in (DEPLOY / "systemd").iterdir():
        text = re.sub(r"(?m)^ExecStart=\S+ ", f"ExecStart={sys.executable} ", unit.read_text(encoding="utf-8"))
        (tmp_path / unit.name).write_text(text, encoding="utf-8")
    shutil.copy(tmp_path / "vo-worker@.service", tmp_path / "vo-worker@1.service")
    units = [tmp_path / name for name in ("vo-server.service", "vo-server.socket", "vo-worker@1.service")]
    assert run(analyze, "verify", "--man=no", *units).strip() == ""
    exposure = run(analyze, "security", "--offline=yes", "--threshold=20", units[0])
    assert "Overall exposure level" in exposure


def test_nginx_takes_its_configuration(tmp_path: Path) -> None:
    nginx, openssl = tool("nginx"), tool("openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    run(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=vo.example.org", "-keyout", key, "-out", certificate)
    site = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    site = site.replace("/etc/nginx/vo-server-locations.conf", str(DEPLOY / "vo-server-locations.conf"))
    site = site.replace("/etc/ssl/vo.example.org.pem", str(certificate)).replace("/etc/ssl/vo.example.org.key", str(key))
    site = re.sub(r"listen (\[::\]:)?(80|443)", lambda found: f"listen {found[1] or ''}1{found[2].zfill(4)}", site)
    main = tmp_path / "main.conf"
    main.write_text(f"pid {tmp_path}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off;\n{site}\n}}\n", encoding="utf-8")
    assert "successful" in run(nginx, "-t", "-c", main, "-e", "stderr")


def test_compose_takes_its_file() -> None:
    told = run(tool("docker-compose"), "-f", DEPLOY / "compose.yaml", "config", **PASSWORDS)
    assert "postgresql://vo_users:u@database/vo" in told


def test_the_settings_for_production_are_settings() -> None:
    text = (DEPLOY / "vo.toml").read_text(encoding="utf-8")
    given = tomllib.loads(text)
    assert Settings(**given).processes == 2
    shown = {line.partition(" = ")[0].removeprefix("# ") for line in text.splitlines() if " = " in line}
    assert set(Settings.model_fields) <= shown


def test_the_three_logins_can_do_their_work_and_no_more(postgres_server: Server, tmp_path: Path) -> None:
    psql = tool("psql")
    words = [f"--set={name}={word}" for name, word in (("owner_password", "o'"), ("web_password", "w"), ("users_password", "u"))]
    script = (DEPLOY / "roles.sql").read_text(encoding="utf-8")
    names = {"vo": "deploy_vo", "vo_owner": "deploy_owner", "vo_web": "deploy_web", "vo_users": "deploy_users"}
    for name, other in names.items():  # roles belong to the whole server, which other tests use too
        script = re.sub(rf"\b{name}\b(?!-)", other, script)
    file = tmp_path / "roles.sql"
    file.write_text(script, encoding="utf-8")
    for _ in range(2):  # it may be repeated
        run(psql, "-X", "-q", "-d", postgres_server.url("postgres", "postgres"), *words, "-f", file)

    def url(login: str) -> str:
        return postgres_server.url("deploy_vo", login)

    database = Database(url("deploy_web"), publish_url=url("deploy_owner"), query_url=url("deploy_users"), role_prefix="deploy")
    try:
        assert init(database).is_current
        with psycopg.connect(url("deploy_users")) as users:
            assert users.execute("SELECT count(*) FROM tap_schema.tables").fetchone()
            users.execute("CREATE TEMPORARY TABLE mine (x int)")
            for statement in ("SELECT * FROM vo.jobs", "CREATE TABLE vo_data.mine (x int)", "DELETE FROM vo_data.obscore"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege), users.transaction():
                    users.execute(statement.encode())
    finally:
        database.close()
        postgres_server.drop("deploy_vo")
        for role in ("deploy_users", "deploy_web", "deploy_owner", "deploy_query", "deploy_app"):
            postgres_server.execute(f"DROP ROLE IF EXISTS {role}")
