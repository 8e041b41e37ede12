"""Keys in a PKCS#11 token (SoftHSM2) sign for root, releases and snapshot; a site follows."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from edge_runtime.state import State
from edge_runtime.update import Wish, once
from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.registry import KeyChange, open_signer, public_key
from edgefactory.registry.signers import PIN

from .registering import Registry, built

pytestmark = pytest.mark.component

CURVES = {2: "secp256r1", 3: "secp384r1"}


def softhsm(debian: Callable[..., Path]) -> tuple[str, str]:
    """SoftHSM2's module and its tool: installed ones, else out of Debian's archive."""
    tool, module = shutil.which("softhsm2-util"), os.environ.get("PYKCS11LIB", "")
    if tool is not None:
        at = (Path(module), *Path("/usr").glob("lib*/**/softhsm/libsofthsm2.so"))
        found = next((path for path in at if path.is_file()), None)
        if found is not None:
            return str(found), tool
    root = debian("softhsm2")
    module = str(root / "usr" / "lib" / "softhsm" / "libsofthsm2.so")
    return module, str(root / "usr" / "bin" / "softhsm2-util")


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory, debian: Callable[..., Path]) -> Iterator[None]:
    """A token "edge" with a key pair of each curve; module and PIN are in the environment."""
    pkcs11 = pytest.importorskip(
        "pkcs11", reason="python-pkcs11 is not installed: edgefactory[hsm]"
    )
    module, tool = softhsm(debian)
    from pkcs11.util.ec import encode_named_curve_parameters

    folder = tmp_path_factory.mktemp("token")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\n")
    patch = pytest.MonkeyPatch()
    patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
    patch.setenv("PYKCS11LIB", module)
    patch.setenv(PIN, "654321")
    pins = ("--so-pin", "123456", "--pin", "654321")
    command = (tool, "--module", module, "--init-token", "--free", "--label", "edge")
    subprocess.run([*command, *pins], check=True, capture_output=True)
    found = pkcs11.lib(module).get_token(token_label="edge")  # noqa: S106 (a name)
    with found.open(user_pin="654321", rw=True) as rw:
        for number, curve in CURVES.items():
            named = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(curve)}
            domain = rw.create_domain_parameters(pkcs11.KeyType.EC, named, local=True)
            domain.generate_keypair(store=True, id=bytes([number]), label=curve)
    yield
    patch.undo()


def hand_over(registry: Registry, role: str, old: str, reference: str) -> None:
    """Give the place of the file key `old` to a key in the token."""
    name = f"{old}-token"
    (registry.keys / f"{name}.uri").write_text(f"{reference}\n")
    public = public_key(open_signer(reference), name)
    registry.change(KeyChange(role, (public,), (old,)))


def test_roles_are_signed_in_a_token_and_a_site_follows(
    token: None, registry: Registry, site: State
) -> None:
    hand_over(registry, "root", "root-1", "hsm:3?label=edge")
    hand_over(registry, "releases", "approver", "hsm:2?label=edge")
    hand_over(registry, "snapshot", "snapshot", "hsm:2?label=edge")
    registry.publish(built(1))
    assert once(site, Wish("squares"), lambda *_: None).outcome == "activated"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("hsm:9?label=edge", "could not find ECDSA key"),
        ("hsm:2?label=other", "No PKCS#11 token found for label other"),
        ("hsm:two?label=edge", "expected hsm:NUMBER"),
    ],
)
def test_a_token_without_the_key_is_one_line(token: None, reference: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        open_signer(reference)


def test_a_wrong_pin_is_one_line(
    token: None, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PIN, "000000")
    with pytest.raises(InputError, match="cannot sign: PinIncorrect"):
        hand_over(registry, "snapshot", "snapshot", "hsm:2?label=edge")


@pytest.mark.skipif(find_spec("pkcs11") is not None, reason="python-pkcs11 is installed")
def test_without_the_library_the_extra_is_named() -> None:
    with pytest.raises(MissingError, match=r"pip install 'edgefactory\[hsm\]'"):
        open_signer("hsm:2?label=edge")
