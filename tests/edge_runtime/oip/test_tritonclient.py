"""Triton's own client is at home here."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from edge_runtime.hosting import Host
from edge_runtime.serving import Server

from ..models import png, scene

pytestmark = [
    pytest.mark.component,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of what the client imports
]
http: Any = pytest.importorskip("tritonclient.http", exc_type=ImportError)


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    """A client of `server`."""
    found = http.InferenceServerClient(f"127.0.0.1:{server.port}")
    yield found
    found.close()


def _batch(binary: bool) -> tuple[Any, Any]:
    batch = np.stack([scene((20, 30), (44, 4)), scene((8, 8))])
    given = http.InferInput("image", list(batch.shape), "UINT8")
    given.set_data_from_numpy(batch, binary_data=binary)
    return batch, given


def test_it_finds_health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("squares")
    assert client.is_model_ready("squares", "1.0.0")
    assert not client.is_model_ready("circles")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert client.get_model_metadata("squares")["versions"] == ["1.0.0"]


@pytest.mark.parametrize("binary_in", [True, False])
@pytest.mark.parametrize("binary_out", [True, False])
def test_it_sends_batches(client: Any, host: Host, binary_in: bool, binary_out: bool) -> None:
    batch, given = _batch(binary_in)
    names = ("boxes", "scores", "labels")
    wanted = [http.InferRequestedOutput(name, binary_data=binary_out) for name in names]
    found = client.infer("squares", [given], outputs=wanted, request_id="seven")
    for name, value in host.get("squares").session.run(batch).items():
        assert np.array_equal(found.as_numpy(name), value)
        assert found.as_numpy(name).dtype == value.dtype
    assert found.get_response()["id"] == "seven"


def test_it_sends_pictures(client: Any) -> None:
    files = [png(scene((20, 30), (44, 4))), png(scene())]
    given = http.InferInput("image", [2], "BYTES")
    given.set_data_from_numpy(np.array(files, np.object_))
    found = client.infer("squares", [given])
    assert found.as_numpy("labels").tolist() == [[0, 0], [-1, -1]]
    assert found.as_numpy("scores").tolist() == [[1, 1], [0, 0]]
    assert found.as_numpy("boxes")[0].tolist() == [[44, 4, 52, 12], [20, 30, 28, 38]]


def test_it_hears_why_something_is_refused(client: Any) -> None:
    given = http.InferInput("image", [1, 2, 2, 3], "UINT8")
    given.set_data_from_numpy(np.zeros((1, 2, 2, 3), np.uint8))
    with pytest.raises(Exception, match=r"expected \[N, 48, 64, 3\]"):  # its own, untyped
        client.infer("squares", [given])
