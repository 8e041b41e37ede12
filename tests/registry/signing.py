"""What people do with a request, one machine playing them all."""

from pathlib import Path

from edgefactory.registry import apply_request, read_request, review, sign_request, write_request
from edgefactory.registry.keys import load_signer
from edgefactory.registry.tree import load_tree, utc_now


def signed(request: bytes, published: Path, keys: Path, *names: str) -> bytes:
    """`request`, read and signed by each of `names` in turn."""
    tree = load_tree(published)
    for name in names:
        found = read_request(request)
        review(found, tree, utc_now())
        sign_request(found, tree, load_signer(keys, name))
        request = write_request(found)
    return request


def enforce(request: bytes, published: Path, keys: Path, *names: str) -> bool:
    """Sign `request` by `names` and put it into force."""
    return apply_request(published, read_request(signed(request, published, keys, *names)), keys)
