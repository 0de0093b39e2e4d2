"""A described table of plays to raw tables: HetRec's two, and the ids that were text.

Nothing is dropped without a trace: a row that cannot be used stays in the table with missing
values, its text and the reason. Only rows from the day `until` on are left out, and counted.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from lastfm_assets.errors import BadInputError
from lastfm_assets.listening.blocks import Positions
from lastfm_assets.listening.described.delimited import delimited_pieces
from lastfm_assets.listening.described.identifiers import key_table, numbers_for
from lastfm_assets.listening.described.items import (
    items_of,
    labels_of,
    with_ids_of_names,
    with_names_for_ids,
)
from lastfm_assets.listening.described.pieces import parquet_pieces
from lastfm_assets.listening.described.plays_rows import (
    Gathering,
    Integers,
    clock_of,
    gathering,
    take,
)
from lastfm_assets.listening.described.plays_tables import (
    Numbered,
    artists_table,
    user_artists_table,
)
from lastfm_assets.listening.described.texts import (
    MISSING,
    Coded,
    Flags,
    are_ids,
    compact,
    renamed,
    whole_numbers,
)
from lastfm_assets.listening.keys import no_keys
from lastfm_assets.progress import Progress, no_progress
from lastfm_assets.sources.files import PlaysFile
from lastfm_assets.sources.hetrec import one_line
from lastfm_assets.vocabulary import Columns


@dataclass(frozen=True, slots=True)
class PlaysTables:
    """What a table of plays holds."""

    user_artists: pd.DataFrame
    """`line` (int64), `user_id, artist_id, plays` (Int64), `played_at` (datetime64[s], UTC; only
    where the description names a column of times), `text, reason`: one row a row that is not
    blank, in file order; of a refused one only line, text and reason are there."""
    artists: pd.DataFrame
    """`line, artist_id, artist_name, url, picture_url, text, reason`: one row an item, in the
    order in which they first appear, `line` being where."""
    keys: pd.DataFrame
    """`kind, id, key`: the source's own ids where they are text."""
    left_out: int
    """Rows of the day `until` or later, which are in no table."""


def read_plays(file: PlaysFile, *, on_progress: Progress = no_progress) -> PlaysTables:
    """Reads a described table of plays.

    An item without an id takes that of its name, if the name has exactly one in the file; else
    its name as shown becomes its id. Text ids become numbers as in `identifiers.numbers_for`.

    Args:
        file: the table and its description.
        on_progress: told how much of the file has been read, and how much there is.

    Returns:
        The raw tables.

    Raises:
        BadInputError: the file or its description cannot be used, or more than 5% of the rows
            are refused for one reason.
    """
    kept = gathering(file)
    clock = clock_of(file)
    read = parquet_pieces if file.description.format == "parquet" else delimited_pieces
    for piece in read(file, on_progress):
        take(piece, clock, kept)
        kept.refusals.judge(kept.n_rows, at_end=False)
    pa.default_memory_pool().release_unused()  # else the reader keeps it to itself
    _check_rows(file, kept)
    kept.refusals.judge(kept.n_rows)
    return _tables(kept)


def _check_rows(file: PlaysFile, kept: Gathering) -> None:
    name = one_line(file.path.name)
    if kept.n_rows == 0 and kept.left_out == 0:
        raise BadInputError(f"{name}: no row was found, expected plays; replace the file")
    if kept.n_rows == 0:
        raise BadInputError(
            f"{name}: all {kept.left_out:,} rows are of {file.description.until} or later, "
            f"expected earlier ones; correct until in {one_line(file.description.file)}"
        )


def _tables(kept: Gathering) -> PlaysTables:
    """All pieces together, every row with its ids."""
    lines, said = kept.lines.all(), kept.file.description.columns
    columns = {role: kept.texts.pop(role).all() for role in list(kept.texts)}
    user, user_is_number = _typed(kept.file, columns["user"], lines, "user")
    item, label, item_is_number = _items(kept.file, columns, lines)
    plays = kept.plays.all()
    seconds = None if said.time is None else kept.seconds.all()
    lost = item.codes == MISSING
    if lost.any():
        _refuse(kept, lines, lost, [columns["user"], *_shown_of(columns)], plays)
        kept.refusals.judge(kept.n_rows)
        user, item, lines, plays = user.rows(~lost), item.rows(~lost), lines[~lost], plays[~lost]
        label = None if label is None else label.rows(~lost)
        seconds = None if seconds is None else seconds[~lost]
    del columns
    user, item = compact(user), compact(item)
    user_ids, user_keys = _numbered("user", user, is_number=user_is_number)
    item_ids, item_keys = _numbered("artist", item, is_number=item_is_number)
    first_rows, names = items_of(item, label)
    artists = artists_table(lines[first_rows].astype(np.int64), item_ids, names)
    del label, names
    # popped one by one as the table takes them: a column is held once, and ids are 64 bits wide
    values: dict[str, Positions | Numbered] = {
        Columns.USER: Numbered(user_ids, user.codes),
        Columns.ARTIST: Numbered(item_ids, item.codes),
        Columns.PLAYS: plays,
    }
    del user, item, plays
    return PlaysTables(
        user_artists=user_artists_table(lines, values, seconds, kept.refusals.told()),
        artists=artists,
        keys=pd.concat([user_keys, item_keys], ignore_index=True),
        left_out=kept.left_out,
    )


def _items(
    file: PlaysFile, columns: dict[str, Coded], lines: Positions
) -> tuple[Coded, Coded | None, bool]:
    """Each row's item, its name as shown, and whether ids are numbers.

    A row keeps no item only where ids are numbers and its name has no id elsewhere.
    """
    name, item = columns.get("item_name"), columns.get("item")
    label = None if name is None else labels_of(name, columns.get("by"))
    if item is None:
        if label is None:
            raise ValueError("a description names an id or a name")
        return label, label, False
    item, is_number = _typed(file, item, lines, "item")
    if label is not None:
        item = with_ids_of_names(item, label)
        item = item if is_number else with_names_for_ids(item, label)
    return item, label, is_number


def _typed(file: PlaysFile, column: Coded, lines: Positions, role: str) -> tuple[Coded, bool]:
    """A column of ids, and whether they are whole numbers, as declared or as seen.

    Raises:
        BadInputError: not declared, and some are numbers, some are not.
    """
    are = are_ids(column.texts)
    used = column.used()
    is_number = file.description.ids == "number"
    if file.description.ids is None:
        is_number = bool(used.any() and are[used].all())
        if not is_number and are[used].any():
            raise _mixed(file, column, lines, are, role)
    if is_number:
        numbers = pa.array(whole_numbers(column.texts)[0])
        column = renamed(column, numbers.cast(pa.large_string()))
    return column, is_number


def _mixed(
    file: PlaysFile, column: Coded, lines: Positions, are: Flags, role: str
) -> BadInputError:
    found = []
    for kind in (True, False):
        row = int(np.argmax(column.flagged(are == kind)))
        found.append((lines[row], one_line(repr(column.texts[int(column.codes[row])].as_py()))))
    (one, number), (other, text) = found
    return BadInputError(
        f"{one_line(file.path.name)}: {role} is the number {number} in line {one} and the text "
        f'{text} in line {other}, expected one kind of ids; set ids = "text" in '
        f'{one_line(file.description.file)}, or ids = "number" to refuse the texts'
    )


def _shown_of(columns: dict[str, Coded]) -> list[Coded]:
    return [columns[role] for role in ("item_name", "by") if role in columns]


def _refuse(
    kept: Gathering, lines: Positions, lost: Flags, columns: list[Coded], plays: Positions
) -> None:
    """Refuses rows whose item has no number; their text is written again from what is known."""
    texts = [
        column.texts.take(pa.array(column.codes[lost], mask=column.codes[lost] == MISSING))
        for column in columns
    ]
    fields = zip(*(text.fill_null("").to_pylist() for text in texts), plays[lost], strict=True)
    delimiter = kept.file.description.delimiter
    told = [delimiter.join(map(str, row)) for row in fields]
    rows = list(zip(lines[lost].tolist(), told, strict=True))
    kept.refusals.add(rows, "item has no id, and its name has none elsewhere")


def _numbered(kind: str, column: Coded, *, is_number: bool) -> tuple[Integers, pd.DataFrame]:
    """(m,) number of each value of a column, and the keys that they stand for."""
    if is_number:
        return whole_numbers(column.texts)[0], no_keys()
    keys = column.texts.to_pylist()
    ids = numbers_for(keys)
    return ids, key_table(kind, keys, ids)
