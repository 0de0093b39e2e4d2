"""Matplotlib's SVG made fit for the page.

Its `style` attributes would need a looser Content-Security-Policy, and its colours would not follow
the reader's light or dark theme: both become classes of the page's own style sheet.
"""

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INK: Final = "#010101"
FAINT: Final = "#020202"
FIRST: Final = "#030303"
SECOND: Final = "#040404"
_CLASSES: Final = {INK: "ink", FAINT: "faint", FIRST: "first", SECOND: "second"}
"""Colours that stand for classes of the style sheet, `f-...` to fill and `s-...` to stroke."""
_KEPT: Final = {"fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap"} | {
    *("stroke-linejoin", "opacity", "fill-opacity", "stroke-opacity", "text-anchor")
}
"""What remains of a style, as attributes; the style sheet decides on fonts."""
_LONG_DECIMAL: Final = re.compile(r"(\.\d\d)\d+")
"""More places behind the point than any screen shows."""


def rewritten(svg: bytes, said: str, names: Mapping[str, str] = MappingProxyType({})) -> str:
    """Matplotlib's SVG without styles, namespaces and unused ids, and with a name to be read.

    Args:
        svg: drawn in the colours above.
        said: its name, for those who cannot see it; may be any text.
        names: text from the data, by what was drawn to keep its place. A browser writes it, in
            whatever script it is; Matplotlib never sees it.
    """
    root = ET.fromstring(svg)  # noqa: S314 (our own drawing, in which nothing of the data is)
    unwanted = [(parent, child) for parent in root.iter() for child in parent if _is_said(child)]
    for parent, child in unwanted:
        parent.remove(child)
    used = _used_ids(root)
    for element in root.iter():
        _rewrite(element, used)
        if element.tag == "text":
            element.text = names.get(element.text or "", element.text)
        for name in set(element.keys()) - {"id", "href", "clip-path", "class"}:
            element.set(name, " ".join(_LONG_DECIMAL.sub(r"\1", element.get(name, "")).split()))
    for name in ("width", "height", "version"):
        root.attrib.pop(name, None)
    root.attrib.update({"role": "img", "aria-label": said, "class": "drawing"})
    return ET.tostring(root, encoding="unicode")


def _is_said(element: ET.Element) -> bool:
    """Whether it speaks of the file, or sets a style for all of it."""
    return element.tag.rpartition("}")[2] in {"metadata", "style"}


def _used_ids(root: ET.Element) -> set[str]:
    references = " ".join(value for element in root.iter() for value in element.attrib.values())
    named = (element.get("id") for element in root.iter())
    return {name for name in named if name and f"#{name}" in references}


def _rewrite(element: ET.Element, used: set[str]) -> None:
    element.tag = element.tag.rpartition("}")[2]
    attributes = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    if attributes.get("id") not in used:
        attributes.pop("id", None)
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    classes = []
    for rule in attributes.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in rule.partition(":"))
        colour = _CLASSES.get(value)
        if name in {"fill", "stroke"} and colour:
            classes.append(f"{name[0]}-{colour}")
        elif name in _KEPT:
            attributes[name] = value
    if classes:
        attributes["class"] = " ".join(classes)
    element.attrib.clear()
    element.attrib.update(attributes)
    if element.tag in {"g", "svg"} and not (element.text or "").strip():
        element.text = None
    element.tail = None
