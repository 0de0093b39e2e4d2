"""The ground on which every chart for the web UI is drawn: paper, colours, and text from strangers.

Matplotlib is used without pyplot, whose figures live until somebody closes them. The ground is an
opaque white, as the UI behind a picture may be light or dark.
"""

import io
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
GREEN: Final = "#009e73"
PURPLE: Final = "#cc79a7"
"""These four can be told apart by the colour-blind (Okabe and Ito, 2008)."""
INK: Final = "#222222"
GREY: Final = "#767676"
PALE: Final = "#c8c8c8"
_DPI: Final = 96
_COLOURS: Final = 64
"""Of the palette that a picture is saved with: a third of the bytes, and no visible difference."""


def paper(width: float, height: float) -> "Figure":
    """An empty figure, in inches."""
    from matplotlib.figure import Figure  # noqa: PLC0415 (slow to import)

    return Figure(figsize=(width, height), dpi=_DPI, layout="constrained", facecolor="white")


def png(figure: "Figure") -> bytes:
    """The figure as a PNG, the same bytes every time."""
    from PIL import Image  # noqa: PLC0415 (Matplotlib brings it)

    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png")
    few = Image.open(drawn).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(small, format="png", optimize=True)
    return small.getvalue()


def plain(axes: "Axes", *, grid: str) -> None:
    """Takes away what says nothing; `grid` is the axis whose values are read, x or y."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(PALE)
    axes.tick_params(labelsize="small", color=PALE, labelcolor=INK)
    axes.grid(axis="x" if grid == "x" else "y", color=PALE, linewidth=0.5)
    axes.set_axisbelow(True)


def counts_along(axes: "Axes", which: Literal["x", "y"], *, log: bool = False) -> None:
    """Writes whole numbers along an axis, as 10,000; along a logarithmic one, powers of ten."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator  # noqa: PLC0415 (slow)

    axis = axes.xaxis if which == "x" else axes.yaxis
    if log:
        axes.set(**{f"{which}scale": "log"})
    else:
        axis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    )
    axis.set_minor_locator(NullLocator())  # its marks take as long to draw as all the rest


def written(text: str, *, at_most: int = 32) -> str:
    """Text from the data as a picture can show it: one line, cut, and without unknown glyphs.

    Draw it with `parse_math=False`: Matplotlib takes `$` for mathematics.
    """
    known = _glyphs()
    line = " ".join(unicodedata.normalize("NFC", text).split())
    seen = "".join(letter if ord(letter) in known else "?" for letter in line)
    return seen if len(seen) <= at_most else seen[: at_most - 1] + "…"


def name_rows(axes: "Axes", names: list[str]) -> None:
    """Writes names from the data along the y axis, the first on top."""
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)


def bars(axes: "Axes", lengths: Sequence[float], said: Sequence[str], colour: str) -> None:
    """Horizontal bars, the first on top, each with what is said of it at its end."""
    axes.barh(range(len(lengths)), lengths, color=colour, height=0.62)
    for place, (length, text) in enumerate(zip(lengths, said, strict=True)):
        axes.annotate(
            text,
            (length, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            color=INK,
        )
    plain(axes, grid="x")


@cache
def _glyphs() -> frozenset[int]:
    """Code points that Matplotlib's own font can draw."""
    from matplotlib.font_manager import findfont, get_font  # noqa: PLC0415 (slow to import)

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())
