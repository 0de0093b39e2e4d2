"""The process that `inputs` feeds hostile input to the parsers in."""

# ruff: noqa: S311 (draws that must come again are no secrets)
import json
import mmap
import resource
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from inputs import CELLS, OUTCOMES, PARSERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from input_parsers import Parser

MEMORY = 6 << 30
"""Bytes of address space, beside those in use when a parser's turn comes."""
_MORE = {"sql": 24 << 30}
"""DuckDB lets memory go, but not its addresses: some megabytes of them with each query."""
_TOLD = 3
"""Times that one kind of defect is told of."""


class Tally:
    """Which case is at work, and how the others ended, where the watching process sees it."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / "shared").open("r+b")
        self._cells = memoryview(mmap.mmap(self._file.fileno(), 8 * CELLS)).cast("q")
        self._defects: Counter[str] = Counter()
        self.start: tuple[int, int] = (self._cells[0], self._cells[1])

    def begin(self, place: int, case: int) -> None:
        """A parser's first case; nothing is counted yet."""
        for cell, value in enumerate((place, case, 0, 0, 0, 1)):
            self._cells[cell] = value

    def run(self, parser: "Parser", name: str, data: bytes) -> None:
        """Feeds a case to a parser."""
        self._cells[2 + OUTCOMES.index(self._outcome(parser, name, data))] += 1
        self._cells[1] += 1

    def counts(self) -> dict[str, int]:
        """Cases of the present parser by outcome."""
        return dict(zip(OUTCOMES, self._cells[2:5].tolist(), strict=True))

    def _outcome(self, parser: "Parser", name: str, data: bytes) -> str:
        from lastfm_assets.errors import LastfmAssetsError  # noqa: PLC0415 (instrumented before)

        try:
            parser.run(data)
        except LastfmAssetsError as problem:
            if len(str(problem).splitlines()) > 1:
                self._tell(name, data, f"a message of several lines: {problem}")
                return "defect"
            return "refused"
        except Exception as problem:  # noqa: BLE001 (all of them are what is looked for)
            frames = traceback.extract_tb(problem.__traceback__)
            ours = [one for one in frames if "lastfm_assets" in one.filename] or frames
            where = f"{Path(ours[-1].filename).name}:{ours[-1].lineno}"
            self._tell(name, data, f"{where}: {type(problem).__name__}: {str(problem)[:200]}")
            return "defect"
        return "result"

    def _tell(self, name: str, data: bytes, what: str) -> None:
        kind = what.partition(": ")[0]
        self._defects[kind] += 1
        if self._defects[kind] <= _TOLD:
            put(parser=name, defect=f"case {self._cells[1]}: {what}; fed {data[:400]!r}")


def put(**said: Any) -> None:
    """One line for the watching process."""
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def prepared(name: str, folder: Path) -> "Parser":
    """A parser in a folder of its own."""
    import input_parsers  # noqa: PLC0415 (instrumented before)
    import input_stored  # noqa: PLC0415

    function, _ = PARSERS[name]
    room = folder / function
    room.mkdir(exist_ok=True)
    module = input_parsers if hasattr(input_parsers, function) else input_stored
    make: Callable[[Path], Parser] = getattr(module, function)
    return make(room)


def drawn(plan: dict[str, Any], folder: Path) -> None:
    """Every parser's share of cases, made from its seeds."""
    from input_mutations import Mutator  # noqa: PLC0415

    tally = Tally(folder)
    names = plan["only"]
    whole = sum(PARSERS[name][1] for name in names)
    first_place, first_case = tally.start
    for place, name in enumerate(names[first_place:], first_place):
        first = first_case if place == first_place else 0
        parser = prepared(name, folder)
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most = used + _MORE.get(name, MEMORY)
        resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
        tally.begin(place, first)
        mutator = Mutator(parser.seeds, parser.tokens)
        for case in range(first, max(1, round(plan["cases"] * PARSERS[name][1] / whole))):
            if plan["until"] is not None and time.monotonic() > plan["until"]:
                break
            rng = Random(f"{plan['seed']} {name} {case}")
            make = parser.make if parser.make and case % 2 else mutator.variant
            tally.run(parser, name, make(rng))
        put(parser=name, counts=tally.counts())


def steered(plan: dict[str, Any], folder: Path) -> None:
    """One parser's cases, made by atheris, which ends the process."""
    import atheris  # type: ignore[import-not-found] # noqa: PLC0415 (not in every environment)

    with atheris.instrument_imports(include=["lastfm_assets"]):
        name = plan["only"][0]
        parser = prepared(name, folder)
    tally = Tally(folder)
    tally.begin(0, 0)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(parser.seeds):
        (corpus / f"{number}").write_bytes(seed)
    words = folder / "words"
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in parser.tokens if len(word) < 99))
    wanted = plan["cases"]

    def one_input(data: bytes) -> None:
        tally.run(parser, name, data)
        if sum(tally.counts().values()) == wanted:
            put(parser=name, counts=tally.counts())

    flags = [f"-runs={wanted}", f"-seed={plan['seed'] + 1}", f"-dict={words}", "-max_len=8192"]
    flags += ["-timeout=30", "-rss_limit_mb=4096", "-print_final_stats=0", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], one_input)
    atheris.Fuzz()


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    told = json.loads(sys.argv[2])
    if told.get("guided"):
        steered(told, Path(sys.argv[1]))
    else:
        drawn(told, Path(sys.argv[1]))
