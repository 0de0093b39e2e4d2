"""No line of the package makes code of data: no pickle, no eval, no shell, no loader that might."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGE = PROJECT / "lastfm_assets"
SOURCES = sorted(PACKAGE.rglob("*.py"))
TREES = {str(path.relative_to(PACKAGE)): ast.parse(path.read_text("utf-8")) for path in SOURCES}

NEVER_IMPORTED = {
    *("pickle", "_pickle", "cPickle", "pickletools", "cloudpickle", "dill", "joblib", "jsonpickle"),
    *("marshal", "shelve", "dbm", "runpy", "code", "codeop", "pty", "imp", "torch", "xmlrpc"),
    *("telnetlib", "ftplib", "multiprocessing"),  # the last one sends pickles to its children
}
NEVER_CALLED = {"eval", "exec", "compile", "__import__", "breakpoint"}
NEVER_NAMED = {
    *("read_pickle", "to_pickle", "allow_pickle_true", "unsafe_load", "full_load", "UnsafeLoader"),
    *("FullLoader", "popen", "system", "spawnl", "spawnv", "execv", "execve", "execl", "execvp"),
    *("urlretrieve", "extractall", "mktemp", "shell_exec", "_unsafe", "from_string"),
}
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


def test_nothing_is_imported_that_makes_code_of_data() -> None:
    found = []
    for file, node in nodes():
        modules = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        found += [(file, name) for name in modules if name.partition(".")[0] in NEVER_IMPORTED]
    assert found == []


def test_nothing_is_evaluated_and_no_shell_is_asked() -> None:
    found = []
    for file, node in nodes():
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in NEVER_CALLED:
                found.append((file, node.lineno, node.func.id))
            if any(word.arg == "shell" for word in node.keywords):
                found.append((file, node.lineno, "shell="))
        if isinstance(node, ast.Attribute) and node.attr in NEVER_NAMED:
            found.append((file, node.lineno, node.attr))
    assert found == []


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
        assert not (isinstance(node, ast.ImportFrom) and node.module == "subprocess"), file
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


@pytest.mark.parametrize("folder", ["lastfm_assets", "docs"])
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
