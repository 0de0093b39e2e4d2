# ruff: noqa: RUF001 (some artists are written in Cyrillic)
"""Invented syllables and words that the sample's artists and tags are made of."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Scene:
    """One taste cluster: how its artists' names sound and what its listeners call it."""

    share: float
    """Of all artists; a bigger scene has more listeners too."""
    starts: tuple[str, ...]
    middles: tuple[str, ...]
    ends: tuple[str, ...]
    tags: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SCENES: Final = (
    Scene(
        0.20,
        _words("Vro Kla Drum Skor Thar Grov Zask Brel"),
        _words("ga da mo ku ze ro"),
        _words("thun nax dreg mork vask tozh"),
        _words("brontowave gravelstep anvilhop rustmarch quakesong"),
    ),
    Scene(
        0.18,
        _words("Li Sei Plu Mia Oe Tiu Flo Nui"),
        _words("la ri po mé na vö"),
        _words("wenn lisk mirel fey tulu sëi"),
        _words("glimmerhush nébulique featherpulse dewtronica paleglow"),
    ),
    Scene(
        0.16,
        _words("Quar Dob Jum Tib Wop Bink Zud Hup"),
        _words("ba do li zo ku ni"),
        _words("bop dazz wix jango plonk rumba-lo"),
        _words("sockjive wobblebrass jumbleswing tin-can-stomp dodobeat"),
    ),
    Scene(
        0.14,
        _words("Ald Fenn Hollo Wyr Morr Esk Bram Thist"),
        _words("er o a in wy el"),
        _words("brook wick holt mere combe leaf"),
        _words("lanternfolk mossballad hedgesong bogpsalm ploughdrone"),
    ),
    Scene(
        0.12,
        _words("Xyl Neo Syn Kvant Ry Ozo Pix Vek"),
        _words("to ra ix lo qu me"),
        _words("tron plex dyne bit volt gram"),
        _words("pixelmarsch voltgaze droidwaltz cachecore neonschmäh"),
    ),
    Scene(
        0.11,
        _words("Ca Mon Ro Fla Del Sor Ga Tri"),
        _words("ri to lan ve çu ña"),
        _words("quito zelo mbra danza vio rello"),
        _words("solanova tropicumbo palmadrift caramelada siestabeat"),
    ),
    Scene(
        0.09,
        _words("Жу Кре Мло Бза Тю Шо Вы Ды"),
        _words("ра ло зи му не ка"),
        _words("брель нкош влята мзик дунь хвар"),
        _words("frostchoir samowave steppedub birchcore tundraglide"),
    ),
)
"""Seven scenes; the shares add up to 1."""

COMMON_TAGS: Final = _words("heard-live sleepy loud rainy-day my-ten-best guitarish café-corner")
"""What listeners of every scene write."""

BRACKETED: Final = ("{} & the {}s", "{}, {}", "The {} {}", "{} {}", '{} "{}"', "{} vs. {}")
"""Ways of making a name of two words; the fifth has quotation marks, as HetRec's names do."""

LONE_MARK: Final = '{}" {}'
"""A name with one lone quotation mark, which a quoting reader would stumble over."""
HIRAGANA: Final = ("もにゃ", "ぷれこ", "るぞみ", "ほけて", "ぬわり", "ざもく")
"""Syllables without a meaning, for a few names."""
