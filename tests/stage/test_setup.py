"""What set-up refuses, in one sentence, and what it skips; on stand-ins, nothing is installed."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(name="path")
def _path(tmp_path: Path) -> Path:
    """A folder that is the whole PATH, with nothing in it but what a test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    return folder


@pytest.fixture(name="setup")
def _setup() -> ModuleType:
    spec = importlib.util.spec_from_file_location("setup_script", PROJECT / "scripts" / "setup.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def put(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def find_python(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(PROJECT / "scripts" / "find-python")],
        env={"PATH": str(path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def pretend_python(version: str) -> str:
    """A Python that says it has another version."""
    lie = f"import sys; sys.version_info = tuple(map(int, '{version}'.split('.'))) + ('final', 0)"
    return f'case "$1" in -c) exec {sys.executable} -c "{lie}; $2";; esac; exit 3'


def test_without_python_one_sentence_names_what_to_install(path: Path) -> None:
    done = find_python(path)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("Vigil needs Python 3.11, 3.12 or 3.13 with venv: install")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("version", ["3.9.2", "3.10.13", "3.14.0", "2.7.18"])
def test_a_python_that_is_too_old_or_too_new_is_refused(path: Path, version: str) -> None:
    put(path, "python3", pretend_python(version))

    assert find_python(path).returncode == 1


def test_an_old_python3_is_passed_over_for_one_that_fits(path: Path) -> None:
    put(path, "python3", pretend_python("3.9.2"))
    put(path, "python3.12", pretend_python("3.12.1"))

    done = find_python(path)

    assert (done.returncode, done.stderr) == (0, "")
    assert Path(done.stdout.strip()).exists()


def test_a_stand_in_that_only_prints_an_error_is_passed_over(path: Path) -> None:
    put(path, "python3", "echo 'command not found' >&2; exit 127")
    put(path, "python3.11", pretend_python("3.11.2"))

    assert find_python(path).returncode == 0


def test_a_python_without_venv_is_told_which_package_is_missing(path: Path) -> None:
    broken = "import sys; sys.modules['ensurepip'] = None"
    put(path, "python3", f'exec {sys.executable} -c "{broken}; $2"')
    version = ".".join(map(str, sys.version_info[:2]))

    done = find_python(path)

    assert done.returncode == 1
    assert done.stderr == (
        "Vigil needs Python's venv module: install it (on Debian and Ubuntu: "
        f"apt-get install python{version}-venv) and run make again.\n"
    )


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.1", "v21.7.3", "v22.11.0", "nonsense"])
def test_a_node_that_cannot_build_the_board_is_refused(
    setup: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    put(path, "node", f"echo {version}")
    put(path, "npm", "exit 0")
    monkeypatch.setenv("PATH", str(path))

    with pytest.raises(setup.CannotSetUp, match=r"20\.19") as refusal:
        setup.check_node()

    assert version in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("version", ["v20.19.0", "v20.20.2", "v22.12.0", "v24.1.0"])
def test_a_node_that_can_is_taken(
    setup: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    put(path, "node", f"echo {version}")
    put(path, "npm", "exit 0")
    monkeypatch.setenv("PATH", str(path))

    assert setup.check_node() == version


def test_without_node_or_npm_one_sentence_names_what_to_install(
    setup: ModuleType, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(path))
    with pytest.raises(setup.CannotSetUp, match="with npm"):
        setup.check_node()

    put(path, "npm", "exit 0")
    with pytest.raises(setup.CannotSetUp, match="with npm"):
        setup.check_node()


def test_a_stamp_holds_until_an_input_changes(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "PROJECT", tmp_path)
    monkeypatch.setattr(setup, "STAMPS", tmp_path)
    locked = tmp_path / "run.txt"
    locked.write_text("django==5.2.19")
    setup.mark_done("python", setup.digest([locked]))
    assert setup.is_done("python", setup.digest([locked]))

    locked.write_text("django==5.2.20")

    assert not setup.is_done("python", setup.digest([locked]))


def test_an_interrupted_installation_makes_the_environment_anew(
    setup: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PROJECT": "", "VENV": ".venv", "CACHE": ".", "STAMPS": "."}.items():
        monkeypatch.setattr(setup, name, tmp_path / value)
    setup.make_venv()
    left_over = tmp_path / ".venv" / "half-installed"
    left_over.touch()
    setup.make_venv()
    assert left_over.exists()

    (tmp_path / ".venv" / "installing").touch()
    setup.make_venv()

    assert not left_over.exists()
    assert (tmp_path / ".venv" / "bin" / "python").exists()


def test_the_bench_brings_its_packages_beside_those_of_the_run(setup: ModuleType) -> None:
    files = [path.name for path in setup.requirement_files("bench")]

    assert files == ["run.txt", "embedded.txt", "bench.txt"]


def test_make_alone_says_what_can_be_made() -> None:
    make = shutil.which("make")
    assert make
    said = subprocess.check_output([make, "-s"], cwd=PROJECT, text=True)

    for target in ("setup", "run", "test", "lint", "bench", "clean", "help"):
        assert f"make {target} " in said
