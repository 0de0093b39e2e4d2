"""Names from strangers, wherever people read them: as they are for programs, harmless for us."""

import csv
import io
import json
from datetime import UTC, datetime

import pandas as pd
import pytest

from lastfm_assets import terminal
from lastfm_assets.automation.alert_message import Alert
from lastfm_assets.automation.metadata import table_metadata
from lastfm_assets.automation.outcome import Failure
from lastfm_assets.sql.query import Answer
from lastfm_assets.sql.writing import write_csv, write_json

NAMES = {
    "script": "<script>alert(1)</script>",
    "colours": "\x1b[31mred\x1b]0;title\x07",
    "eight bits": "\x9b31m",
    "turned": "abc\u202egnp.exe",
    "isolated": "\u2066abc\u2069\u200f",
    "invisible": "a\u200bb\ufeffc",
    "lines": "a\nb\r\nc\x85d\u2028e",
    "zero": "a\0b",
    "markup": "[bold]x[/] [link=http://x]y[/link] [/nothing]",
    "markdown": "![x](http://x/y.png) | a | `b`",
    "formula": "=HYPERLINK(1)",
    "mention": "<!channel> @all",
    "path": "../../etc/passwd",
    "long": "x" * 100_000,
}


def is_harmless(text: str) -> bool:
    return all(letter.isprintable() or letter == "\n" for letter in text)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_terminal_is_not_steered(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A column named [/x] ended in a traceback of Rich's, which took it for its own mark-up."""
    terminal.show_table(pd.DataFrame({name: [name]}))
    terminal.error(name)
    shown = capsys.readouterr()
    assert is_harmless(shown.out)
    assert is_harmless(shown.err)
    assert shown.err.count("\n") == 1
    if name.isprintable() and len(name) < 150:
        assert shown.out.count(name) == 2


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_the_web_uis_preview_is_one_short_line_of_text(name: str) -> None:
    preview = table_metadata(pd.DataFrame({"artist_name": [name]}))["preview"]
    cell = str(preview.records[0].data["artist_name"])
    assert cell.isprintable()
    assert len(cell) <= 60


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_an_alert_steers_neither_mail_nor_chat(name: str) -> None:
    failure = Failure(1, f"the artist {name} is no artist", "error", "raw/artists")
    alert = Alert("refresh", "run", "http://x", failure, "custom", datetime(2026, 1, 1, tzinfo=UTC))
    assert is_harmless(alert.text)
    assert len(alert.text) < 2_000
    text = alert.as_json()["text"]
    assert "<" not in text
    assert "@all" not in text
    assert is_harmless(text.replace("@\u200b", "@"))


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_json_keeps_every_letter_and_steers_no_terminal(name: str) -> None:
    written = io.StringIO()
    write_json(Answer((name,), iter([[(name,)]])), written)
    assert is_harmless(written.getvalue())
    assert json.loads(written.getvalue()) == [{name: name}]


@pytest.mark.parametrize("name", [*NAMES.values(), "=LOVE", "-M-", "+44", "@mrs", "\tx"])
def test_csv_keeps_every_letter(name: str) -> None:
    """Artists are called =LOVE and -M-: an apostrophe before them would be another name.

    Who opens an export in a spreadsheet imports such columns as text.
    """
    written = io.StringIO()
    write_csv(Answer(("artist_name",), iter([[(name,)]])), written)
    rows = list(csv.reader(io.StringIO(written.getvalue(), newline="")))
    assert rows == [["artist_name"], [name]]
