"""Settings: one model, file under environment under command line; a wrong key is named."""

from pathlib import Path

import pytest

from vo_server.cli.config import show
from vo_server.errors import SetupError
from vo_server.settings import Settings, load, origins


def toml(folder: Path, text: str) -> Path:
    path = folder / "vo.toml"
    path.write_text(text)
    return path


def test_the_command_line_wins_over_the_environment_over_the_file(tmp_path: Path) -> None:
    file = toml(tmp_path, 'port = 1001\nhost = "0.0.0.0"\ntitle = "From the file"\n')
    settings = load(file, {"VO_PORT": "1002", "VO_HOST": "::1"}, port=1003)
    assert (settings.port, settings.host, settings.title) == (1003, "::1", "From the file")


def test_where_a_value_comes_from_is_known(tmp_path: Path) -> None:
    file = toml(tmp_path, "port = 1001\n")
    _, sources = origins(file, {"VO_HOST": "::1"}, {"title": "x", "public_url": None})
    assert sources == {"port": str(file), "host": "VO_HOST", "title": "command line"}


@pytest.mark.parametrize(
    ("text", "environment", "named"),
    [
        ("prot = 1\n", {}, "'prot'"),
        ("", {"VO_PROT": "1"}, "VO_PROT"),
        ("port = 'many'\n", {}, "port"),
        ("public_url = 'ftp://x'\n", {}, "public_url"),
        ("port = \n", {}, "not TOML"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path, text: str, environment: dict[str, str], named: str) -> None:
    with pytest.raises(SetupError, match=named):
        load(toml(tmp_path, text), environment)


def test_a_missing_settings_file_is_an_error_only_if_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(environment={}).port == 8000
    with pytest.raises(SetupError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml", {})


def test_links_are_built_from_the_public_address_without_a_slash_at_its_end() -> None:
    assert load(environment={"VO_PUBLIC_URL": "https://vo.example.org/data/"}).base_url == "https://vo.example.org/data"
    assert load(environment={"VO_PORT": "1234"}).base_url == "http://127.0.0.1:1234"


def test_settings_in_a_pipe_are_whole_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    show(toml(tmp_path, f'title = "{"long " * 60}end"\n'))
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert {line[0] for line in lines} == set(Settings.model_fields)
    assert ["title", "long " * 60 + "end"] in [line[:2] for line in lines]
