"""The doctor: each part that may be missing, and what it says then."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from commands import ROOT, persona

from persona_spark import doctor
from persona_spark.errors import SetupError
from persona_spark.java import check_java, java_command, java_user_home, java_version
from persona_spark.lake.folder import check_writable
from persona_spark.lake.session import java_options

if TYPE_CHECKING:
    from collections.abc import Callable

CONF = ROOT / "conf"


def fake_java(folder: Path, script: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    java.chmod(0o755)
    return folder


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a Java that says it is the given one in place of this machine's."""

    def take(printed: str) -> None:
        monkeypatch.setenv("JAVA_HOME", str(fake_java(tmp_path / "jdk", f"echo '{printed}' >&2")))

    return take


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', (17, 0, 15)),
        ('java version "1.8.0_401"', (8, 0)),
        ('openjdk version "21" 2023-09-19', (21,)),
        ('openjdk version "26-ea" 2026-03-17', (26,)),
        ("no", None),
    ],
)
def test_java_version_is_read_from_what_java_prints(pretend: Callable[[str], None], printed: str, version: tuple[int, ...] | None) -> None:
    pretend(printed)
    assert java_version() == version


@pytest.mark.parametrize("number", ["25", "25.0.2"])
def test_java_that_corrupts_data_is_refused(pretend: Callable[[str], None], number: str) -> None:
    pretend(f'openjdk version "{number}" 2026-01-20 LTS')
    with pytest.raises(SetupError, match=rf"^Java {number} may corrupt data \(JDK-8377811\)\. Set JAVA_HOME to Java 25\.0\.3 or newer"):
        check_java()


@pytest.mark.parametrize("number", ["17", "17.0.15", "21.0.8", "25.0.3", "26"])
def test_java_that_spark_runs_on_is_taken(pretend: Callable[[str], None], number: str) -> None:
    pretend(f'openjdk version "{number}" 2026-04-21 LTS')
    assert check_java() == tuple(map(int, number.split(".")))


def test_java_is_given_no_option_that_it_does_not_know() -> None:
    compact = "-XX:+UseCompactObjectHeaders"
    assert compact in java_options(25).split()
    assert compact not in java_options(24).split()
    started = subprocess.run([str(java_command()), *java_options(check_java()[0]).split(), "-version"], check=False)
    assert started.returncode == 0


def test_java_that_cannot_start_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nothing"))
    with pytest.raises(SetupError, match=r"Java was not found in JAVA_HOME \(.*nothing\)\. Spark needs Java 17 or newer: install"):
        check_java()


def test_the_java_of_this_machine_tells_its_home_folder() -> None:
    home = java_user_home()
    assert home is not None
    assert Path(home).is_dir()


def test_old_java_ends_a_run_at_once_with_a_message(tmp_path: Path) -> None:
    home = fake_java(tmp_path / "jdk", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    done = persona(
        "run", "--conf", str(CONF / "demo.yaml"), "--as-of", "2018-01-01", "--lake", "lake", cwd=tmp_path, JAVA_HOME=str(home)
    )  # fmt: skip
    assert done.returncode == 1
    assert "Java 11 is too old. Spark needs Java 17 or newer" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "lake").exists()


def test_doctor_without_java_shows_every_part_and_fails(tmp_path: Path) -> None:
    done = persona("doctor", cwd=tmp_path, JAVA_HOME=str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    lines = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines() if line.startswith(("ok", "FAILED"))}
    assert lines == {"Python": "FAILED" if "FAILED  Python packages" in done.stdout else "ok"} | {
        "Java": "FAILED", "Delta": "FAILED", "Memory": "ok", "Lake": "ok",
    }  # fmt: skip


def test_java_module_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    code = "import sys, persona_spark.java; print([m for m in ('pyspark', 'pydantic', 'yaml', 'typer') if m in sys.modules])"
    env = {"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env, cwd=tmp_path)
    assert done.stdout.strip() == "[]"


def test_writable_folder_is_left_as_it_was(tmp_path: Path) -> None:
    check_writable(str(tmp_path / "new" / "lake"))
    assert list(tmp_path.iterdir()) == []


def test_folder_marked_read_only_is_refused_even_for_root(tmp_path: Path) -> None:
    folder = tmp_path / "fixed"
    folder.mkdir()
    folder.chmod(0o555)
    try:
        with pytest.raises(SetupError, match=r"fixed/lake cannot be written: .*fixed is marked read-only.*--lake PATH"):
            check_writable(str(folder / "lake"))
    finally:
        folder.chmod(0o755)


def test_disk_that_refuses_files_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(SetupError, match=r"cannot be written: .* refuses a new file \(Read-only file system\)"):
        check_writable(str(tmp_path / "lake"))


def test_file_in_place_of_the_lake_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("", encoding="utf-8")
    with pytest.raises(SetupError, match="is not a folder"):
        check_writable(str(tmp_path / "lake"))


def test_dangling_link_in_place_of_the_lake_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lake").symlink_to(tmp_path / "gone")
    with pytest.raises(SetupError, match="is not a folder"):
        check_writable(str(tmp_path / "lake"))


def test_remote_lake_is_left_to_spark() -> None:
    check_writable("s3a://bucket/lake")
    assert doctor.check_lake("s3a://bucket/lake").ok


@pytest.mark.parametrize(("text", "size"), [("4g", 4 * 1024**3), ("512m", 512 * 1024**2), ("2GB", 2 * 1024**3), ("lots", None), ("", None)])
def test_memory_sizes_are_read_as_spark_writes_them(text: str, size: int | None) -> None:
    assert doctor.memory_bytes(text) == size


def test_heap_larger_than_the_machine_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_DRIVER_MEMORY", "900t")
    found = doctor.check_memory()
    assert not found.ok
    assert "SPARK_DRIVER_MEMORY" in found.todo


def test_wrong_packages_are_named_with_the_command_that_mends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {"pyspark": "4.2.0", "delta-spark": "9.9.9"})
    found = doctor.check_packages()
    assert not found.ok
    assert found.todo == "run: python -m pip install pyspark==4.2.0 delta-spark==9.9.9"


def test_jars_in_the_ivy_folder_need_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / ".ivy2.5.2" / "jars" / "io.delta_delta-spark_4.2_2.13-4.4.0.jar"
    jar.parent.mkdir(parents=True)
    jar.write_bytes(b"")
    monkeypatch.setattr(doctor, "java_user_home", lambda: str(tmp_path))
    assert doctor.check_jars().ok


def test_jars_that_cannot_be_fetched_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho 'first' >&2\necho 'no route' >&2\nexit 1\n", encoding="utf-8")
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(doctor, "java_user_home", lambda: str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    found = doctor.check_jars()
    assert not found.ok
    assert found.detail.endswith("not fetched: no route")
    assert "network" in found.todo


def test_faulty_configuration_is_shown_and_the_rest_still_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "check_jars", lambda: doctor.Check("Delta jars", ok=True, detail=""))
    (tmp_path / "persona.yaml").write_text("name: shop\n", encoding="utf-8")
    found = {item.name: item for item in doctor.examine(tmp_path / "persona.yaml", str(tmp_path / "lake"))}
    assert not found["Configuration"].ok
    assert "lake" in found["Configuration"].detail
    assert found["Lake folder"].ok
