"""A box becomes a site: root of trust, identity, device key, first high-water marks."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from msgspec import UNSET

from edge_runtime import durable
from edge_runtime.contract import Device, decode, digest, encode
from edge_runtime.contract.sealing import public_hex
from edge_runtime.device import ensure_device_key
from edge_runtime.errors import ContractError, InputError, MissingError, TrustError
from edge_runtime.hardware import hardware_classes
from edge_runtime.state import MAX_ROOT_BYTES, Site, State
from edge_runtime.trust import Marks, RoleMark, highwater
from edge_runtime.trust.http import Http


@dataclass(frozen=True)
class Enrolment:
    """What a site is told once. `root` are root metadata bytes, got by file or by fingerprint;
    `quota` is the most bytes that the state may take on disk (None: the default)."""

    url: str
    site: str
    region: str
    root: bytes
    quota: int | None = None


def root_by_fingerprint(url: str, fingerprint: str, http: Http) -> bytes:
    """The first root metadata published at `url`, if its SHA-256 is `fingerprint`.

    Raises InputError, MissingError, or TrustError when it has another digest.
    """
    wanted = fingerprint.replace(":", "").lower()
    if not re.fullmatch("[0-9a-f]{64}", wanted):
        raise InputError(f"--fingerprint {fingerprint!r} is not a SHA-256 (64 hex digits)")
    place = f"{url.rstrip('/')}/metadata/1.root.json"
    data = http.get(place, MAX_ROOT_BYTES)
    if digest(data) != wanted:
        raise TrustError(f"{place} has SHA-256 {digest(data)}, expected {wanted}; not enrolled")
    return data


def enroll(state: State, enrolment: Enrolment) -> Site:
    """Enroll this box as a site, or change URL, name and region of one under the same root.

    Raises InputError (bad URL or name), TrustError (bad root, or another root than before),
    StorageError.
    """
    from edge_runtime.trust.metadata import check_root

    _check_url(enrolment.url)
    version = check_root(enrolment.root, "the root")
    with state.lock():
        known = _known(state)
        if known is not None and known.root_sha256 != digest(enrolment.root):
            raise TrustError(
                f"{state.folder} is already enrolled under root {known.root_sha256[:12]}…; "
                "another root needs an empty --state"
            )
        site = Site(
            schema="site/1",
            site=enrolment.site,
            region=enrolment.region,
            url=enrolment.url.rstrip("/"),
            root_sha256=digest(enrolment.root),
            device_key=public_hex(ensure_device_key(state)),
            quota_bytes=UNSET if enrolment.quota is None else enrolment.quota,
        )
        try:
            site = decode(encode(site), Site, "the enrolment")  # the contract's bounds hold
        except ContractError as error:
            raise InputError(f"site {enrolment.site!r} cannot be enrolled: {error}") from error
        if known is None:
            durable.make_folder(state.trust)
            highwater.save(state.trust, Marks(roles={"root": RoleMark(version, "")}))
        durable.write(state.root_file, enrolment.root)
        durable.write(state.device_file, encode(_device(site)))
        durable.write(state.site_file, encode(site))
    return site


def trusted_root(state: State, site: Site) -> bytes:
    """The root that `site` was enrolled with. Raises TrustError when it was changed on disk."""
    data = durable.read(state.root_file, MAX_ROOT_BYTES, "the root of trust")
    if digest(data) != site.root_sha256:
        raise TrustError(f"{state.root_file} is not the root this site was enrolled with")
    return data


def _device(site: Site) -> Device:
    return Device("device/1", site.site, site.region, hardware_classes(), site.device_key)


def _known(state: State) -> Site | None:
    try:
        return state.site()
    except MissingError:
        return None


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InputError(f"--url {url!r} is not an http(s) URL")
