"""No line of the package makes code of data: no pickle, no eval, no shell, no loader that might."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "lastfm_assets"
TREES = {
    str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8"))
    for path in sorted(PACKAGE.rglob("*.py"))
}

NEVER_IMPORTED = {
    *("pickle", "_pickle", "cPickle", "pickletools", "cloudpickle", "dill", "joblib", "jsonpickle"),
    *("marshal", "shelve", "dbm", "runpy", "code", "codeop", "pty", "imp", "torch", "xmlrpc"),
    *("telnetlib", "ftplib", "multiprocessing"),  # the last one sends pickles to its children
}
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "breakpoint"}
NEVER_NAMED = {
    *("read_pickle", "to_pickle", "unsafe_load", "full_load", "UnsafeLoader", "FullLoader"),
    *("popen", "system", "spawnl", "spawnv", "execv", "execve", "execl", "execvp", "posix_spawn"),
    *("fork", "forkpty", "urlretrieve", "extractall", "mktemp", "_unsafe", "from_string"),
    *("ProcessPoolExecutor",),
}
UNDER_THEIR_NAMES = {"os", "subprocess", "yaml", "builtins", "importlib"}
"""Modules whose functions are forbidden by the names that they have there; NumPy is `np`."""
STARTERS = {
    "engines/spark/cluster.py": 1,  # Spark's own daemons
    "engines/spark/java.py": 1,  # `java -version`
    "models/workers.py": 1,  # this Python, with our own program
}
"""What starts a process, and how often; Spark's driver is started by pyspark."""


def named(node: ast.AST) -> str:
    """`subprocess.run` for a call of it, the bare name for others."""
    match node:
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return f"{module}.{name}"
        case ast.Attribute(attr=name):
            return name
        case ast.Name(id=name):
            return name
    return ""


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            yield file, node


def forbidden_in(node: ast.AST) -> str:  # noqa: PLR0911 (a case each)
    """What a node does that makes code of data, or asks a shell; empty: nothing."""
    match node:
        case ast.Import(names=names):
            return " ".join(filter(None, map(_forbidden_import, names)))
        case ast.ImportFrom(module=module, names=names):
            return _forbidden_from(module or "", [alias.name for alias in names])
        case ast.Call(func=ast.Name(id=name)) if name in NEVER_CALLED:
            return name
        case ast.Call(func=function, args=[ast.Constant(value=str(name)), *_]) if named(
            function
        ).endswith("import_module"):
            return name if name.partition(".")[0] in NEVER_IMPORTED else ""
        case ast.Attribute(value=ast.Name(id="builtins"), attr=name):
            return f"builtins.{name}"
        case ast.Attribute(attr=name) if name in NEVER_NAMED:
            return name
        case ast.keyword(arg="shell"):
            return "shell="
        case ast.keyword(arg="allow_pickle", value=value) if ast.unparse(value) != "False":
            return "allow_pickle="
    return ""


def _forbidden_import(alias: ast.alias) -> str:
    module, name = alias.name, alias.asname or alias.name
    if module.partition(".")[0] in NEVER_IMPORTED:
        return module
    if module in UNDER_THEIR_NAMES:
        return "" if name == module else module
    return module if module == "numpy" and name != "np" else ""


def _forbidden_from(module: str, names: list[str]) -> str:
    if module.partition(".")[0] in NEVER_IMPORTED or module in {*UNDER_THEIR_NAMES, "numpy"}:
        return f"from {module}"
    return " ".join(name for name in names if name in NEVER_NAMED | NEVER_CALLED)


def test_nothing_makes_code_of_data_and_no_shell_is_asked() -> None:
    found = [(file, what) for file, node in nodes() if (what := forbidden_in(node))]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        *("import pickle", "import pickle as p", "from pickle import loads", "import numpy as n"),
        *("from os import system", "import os as o", "os.system('x')", "os.posix_spawn('x', [])"),
        *("from pandas import read_pickle", "pd.read_pickle(x)", "eval(x)", "builtins.eval(x)"),
        *("from builtins import eval", "from numpy import load", "load(x, allow_pickle=True)"),
        *("np.load(x, allow_pickle=flag)", "from yaml import load", "yaml.unsafe_load(x)"),
        *("import subprocess as s", "from subprocess import run", "f(x, shell=True)"),
        *("importlib.import_module('pickle')", "from importlib import import_module"),
        "from concurrent.futures import ProcessPoolExecutor",
    ],
)
def test_a_line_that_would_is_found(line: str) -> None:
    """Half of these once went unseen, as only the usual names were looked for."""
    assert any(forbidden_in(node) for node in ast.walk(ast.parse(line)))


def test_arrays_are_read_and_written_without_pickle() -> None:
    calls = [
        (file, node)
        for file, node in nodes()
        if isinstance(node, ast.Call)
        and named(node.func) in {"np.load", "np.save", "np.savez", "np.savez_compressed"}
    ]
    assert calls
    for file, call in calls:
        said = {word.arg: ast.unparse(word.value) for word in call.keywords}
        assert said.get("allow_pickle") == "False", (file, call.lineno)


def test_yaml_is_read_by_the_safe_loader() -> None:
    """Its own, or a class of ours that is one and takes less."""
    used = {
        named(node)
        for _, node in nodes()
        if isinstance(node, ast.Attribute) and named(node).startswith("yaml.")
    }
    assert used <= {
        *("yaml.safe_load", "yaml.SafeLoader", "yaml.YAMLError"),
        *("yaml.composer", "yaml.AliasEvent"),
    }


def test_processes_are_started_from_a_list_by_three_files_alone() -> None:
    found: dict[str, int] = {}
    for file, node in nodes():
        if not (isinstance(node, ast.Call) and named(node.func).startswith("subprocess.")):
            continue
        assert named(node.func) in {"subprocess.run", "subprocess.Popen"}, file
        found[file] = found.get(file, 0) + 1
        command = node.args[0]
        if isinstance(command, ast.Name):  # a list that was made before
            made = [
                one.value
                for one in ast.walk(TREES[file])
                if isinstance(one, ast.Assign) and named(one.targets[0]) == command.id
            ]
            assert len(made) == 1, (file, node.lineno)
            command = made[0]
        assert isinstance(command, ast.List), (file, node.lineno)
    assert found == STARTERS


def test_a_module_is_imported_by_name_only_where_the_name_is_ours() -> None:
    found = [
        (file, node)
        for file, node in nodes()
        if isinstance(node, ast.Call) and named(node.func).endswith("import_module")
    ]
    for file, call in found:
        name = call.args[0]
        assert isinstance(name, ast.Constant) or file == "__init__.py", (file, call.lineno)


@pytest.mark.parametrize("folder", ["lastfm_assets", "requirements"])
def test_every_exception_from_the_rules_of_security_says_why(folder: str) -> None:
    """Ruff's S rules hold for the whole package; where one is waived, the reason stands beside."""
    waived = [
        (str(path.relative_to(PROJECT)), line.strip())
        for path in sorted((PROJECT / folder).rglob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if re.search(r"noqa:[^#]*\bS\d{3}", line)
    ]
    assert waived
    for file, line in waived:
        assert re.search(r"noqa: [A-Z0-9, ]+ \(.{8,}\)$", line), f"{file}: {line}"
