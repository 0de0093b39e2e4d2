"""Archives: read in place, and refused before anything in them can do harm."""

import gzip
import io
import os
import stat
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest
from source_world import Pack, Refusal

from lastfm_assets.errors import BadInputError
from lastfm_assets.sources import archive as archive_module
from lastfm_assets.sources.archive import open_archive


def tar_of(files: dict[str, bytes], mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.fixture(params=["zip", "tar", "tar.gz"])
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> Pack:
    """Packs files into one kind of archive after the other."""

    def packed(files: dict[str, bytes]) -> Path:
        path = tmp_path / f"x.{request.param}"
        if request.param == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
            return path
        return written(path, tar_of(files, "w:gz" if request.param == "tar.gz" else "w"))

    return packed


def test_files_are_read_in_place(pack: Pack, files: dict[str, bytes], tmp_path: Path) -> None:
    path = pack(files)
    source = open_archive(path)
    for stem in ("tags", "artists", "user_artists"):
        assert source.read(stem).content == files[f"{stem}.dat"]
    assert source.read("user_friends") is None
    assert source.location == str(path)
    assert os.listdir(tmp_path) == [path.name]  # noqa: PTH208


def test_files_may_lie_in_one_sub_folder(pack: Pack, files: dict[str, bytes]) -> None:
    source = open_archive(pack({f"./hetrec/{name}": content for name, content in files.items()}))
    assert source.read("artists").content == files["artists.dat"]


def test_what_a_mac_adds_to_archives_is_passed_over(pack: Pack, files: dict[str, bytes]) -> None:
    source = open_archive(pack(files | {"__MACOSX/._artists.dat": b"junk"}))
    assert source.read("artists").content == files["artists.dat"]


def test_a_missing_file_is_named(pack: Pack, files: dict[str, bytes], refusal: Refusal) -> None:
    del files["user_artists.dat"]
    with refusal(BadInputError, "user_artists missing; found artists.dat, tags.dat, expected"):
        open_archive(pack(files))


@pytest.mark.parametrize(
    "name", ["/etc/cron.d/x", "../x", "a/../../x", "C:/x", "c:x", "a\\..\\x", "..", "a\nb"]
)
def test_a_name_that_points_outside_is_refused(
    pack: Pack, files: dict[str, bytes], refusal: Refusal, name: str
) -> None:
    with refusal(BadInputError, "points outside the archive"):
        open_archive(pack(files | {name: b"1"}))


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE]
)
def test_links_and_devices_in_a_tar_are_refused(
    tmp_path: Path, refusal: Refusal, kind: bytes
) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("artists.dat")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    with refusal(BadInputError, r"artists\.dat is a link or a device"):
        open_archive(tmp_path / "x.tar")


def test_links_in_a_zip_are_refused(tmp_path: Path, refusal: Refusal) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        info = zipfile.ZipInfo("artists.dat")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with refusal(BadInputError, r"artists\.dat is a link or a device"):
        open_archive(tmp_path / "x.zip")


def test_two_entries_of_one_name_are_refused(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal
) -> None:
    path = written(tmp_path / "x.tar", tar_of(files, "w"))
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("artists.dat"))
    with refusal(BadInputError, r"two entries are named artists\.dat"):
        open_archive(path)


def test_a_thousand_entries_are_enough(
    pack: Pack, files: dict[str, bytes], refusal: Refusal
) -> None:
    with refusal(BadInputError, "more than 1000 entries"):
        open_archive(pack(files | {f"n{n}": b"" for n in range(998)}))


def test_an_archive_that_unpacks_to_too_much_is_refused(
    pack: Pack, files: dict[str, bytes], refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MOST_BYTES", 50)
    with refusal(BadInputError, "more than 0 GiB when unpacked"):
        open_archive(pack(files))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_that_swells_is_refused(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal, kind: str
) -> None:
    bomb = files | {"zeros": bytes(60 << 20)}
    path = tmp_path / "bomb"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in bomb.items():
                archive.writestr(name, content)
    else:
        path.write_bytes(tar_of(bomb))
    with refusal(BadInputError, "unpacks to more than 200 times its size"):
        open_archive(path)


def tar_header(kind: bytes, n_bytes: int) -> bytes:
    """A tar's first entry, whose size is in base 256, as tar writes those over 8 GiB."""
    info = tarfile.TarInfo("d")
    info.type = kind
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = (n_bytes % (1 << 96)).to_bytes(12, "big")
    if n_bytes > 0:
        header[124] = 0x80
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.REGTYPE])
def test_a_tar_cannot_buy_room_with_a_size_below_zero(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal, kind: bytes
) -> None:
    """A folder of -1 PiB at the start, and no sum of sizes ever reached a bound."""
    bomb = tar_header(kind, -(1 << 50)) + tar_of(files | {"zeros": bytes(60 << 20)}, "w")
    path = written(tmp_path / "x.tar.gz", gzip.compress(bomb, 1))
    with refusal(BadInputError, "the entry d declares a size below zero"):
        open_archive(path)


def test_what_a_folder_in_a_tar_declares_is_not_counted(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    """Nothing of it is ever unpacked."""
    path = written(tmp_path / "x.tar", tar_header(tarfile.DIRTYPE, 1 << 50) + tar_of(files, "w"))
    assert open_archive(path).read("artists")


def test_a_small_archive_may_compress_well(pack: Pack, files: dict[str, bytes]) -> None:
    assert open_archive(pack(files | {"zeros": bytes(1 << 20)})).read("artists")


def test_a_tar_header_that_claims_gigabytes_of_name_is_refused(
    tmp_path: Path, refusal: Refusal
) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, 1 << 31
    with refusal(BadInputError, "its list of members is overlong"):
        open_archive(written(tmp_path / "x.tar", info.tobuf() + bytes(1024)))


@pytest.mark.parametrize("kept", [0.1, 0.15, 0.3, 0.5, 0.75])
def test_a_truncated_archive_is_refused(
    pack: Pack, files: dict[str, bytes], refusal: Refusal, kept: float
) -> None:
    path = pack(files | {"padding.txt": os.urandom(20_000)})
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    with refusal(BadInputError, "not an archive, or a damaged one"):
        open_archive(path)


def test_a_tar_with_a_spoilt_header_inside_is_refused(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal
) -> None:
    """The standard library would stop there and hand over the entries before it as all."""
    content = tar_of(files, "w").replace(b"tags.dat", b"togs.dat")
    with refusal(BadInputError, "its end is missing"):
        open_archive(written(tmp_path / "x.tar", content))


def test_a_gzip_that_lacks_only_its_checksum_is_refused(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal
) -> None:
    with refusal(BadInputError, "damaged one"):
        open_archive(written(tmp_path / "x.tgz", tar_of(files)[:-4]))


def test_a_gzip_whose_checksum_is_wrong_is_refused(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal
) -> None:
    content = bytearray(tar_of(files))
    content[-8] ^= 1
    with refusal(BadInputError, "damaged one.*CRC"):
        open_archive(written(tmp_path / "x.tgz", bytes(content)))


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"<html>log in first</html>" * 50, b"PK\x03\x04"]
)
def test_what_is_not_an_archive_is_refused(
    tmp_path: Path, refusal: Refusal, content: bytes
) -> None:
    with refusal(BadInputError, "not an archive, or a damaged one"):
        open_archive(written(tmp_path / "x.zip", content))


def test_a_gzip_of_something_else_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    with refusal(BadInputError, "not an archive, or a damaged one"):
        open_archive(written(tmp_path / "x.gz", gzip.compress(b"id\tname\n" * 200)))


def test_a_missing_archive_is_refused(tmp_path: Path, refusal: Refusal) -> None:
    with refusal(BadInputError, r"cannot be read \(No such file"):
        open_archive(tmp_path / "x.zip")


def test_an_encrypted_entry_is_refused(tmp_path: Path, zipped: bytes, refusal: Refusal) -> None:
    content = bytearray(zipped)
    at = content.index(b"PK\x01\x02") + 8
    content[at] |= 1
    with refusal(BadInputError, r"artists\.dat is encrypted"):
        open_archive(written(tmp_path / "x.zip", bytes(content)))


def test_an_unknown_packing_is_refused(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal
) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("artists.dat", files["artists.dat"])
    with refusal(BadInputError, "packed by method 12"):
        open_archive(tmp_path / "x.zip")


def test_a_wrong_checksum_is_found_when_the_entry_is_read(
    tmp_path: Path, files: dict[str, bytes], refusal: Refusal
) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"Brimm", b"Bramm"))
    source = open_archive(path)
    with refusal(BadInputError, r"damaged one \(Bad CRC-32"):
        source.read("artists")


def test_an_entry_that_is_longer_than_it_declares_is_refused(
    tmp_path: Path, zipped: bytes, refusal: Refusal
) -> None:
    content = bytearray(zipped)
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<L", 10)
    source = open_archive(written(tmp_path / "x.zip", bytes(content)))
    with refusal(BadInputError, "damaged one"):
        source.read("artists")


def test_an_entry_that_is_shorter_than_it_declares_is_refused(
    tmp_path: Path, zipped: bytes, refusal: Refusal
) -> None:
    content = bytearray(zipped)
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<L", 10_000)
    source = open_archive(written(tmp_path / "x.zip", bytes(content)))
    with refusal(BadInputError, "does not have the size it declares|damaged one"):
        source.read("artists")
