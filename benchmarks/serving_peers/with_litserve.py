"""LitServe, as its documentation has it: one worker, requests one by one."""

import sys
from typing import Annotated, Any

import litserve
from fastapi import Body

from serving_peers.model import Model

Picture = Annotated[bytes, Body(media_type="image/jpeg")]


class Api(litserve.LitAPI):  # type: ignore[misc]  # not installed where types are checked
    """The class of a picture."""

    def setup(self, device: str) -> None:
        """In the worker."""
        del device
        self.model = Model(sys.argv[1])

    def decode_request(self, request: Picture) -> bytes:
        """The body, as FastAPI below it took it: of a `Request` LitServe takes JSON or a form."""
        return request

    def predict(self, picture: bytes) -> dict[str, object]:
        """The class."""
        return self.model.decide(picture)

    def encode_response(self, output: Any) -> Any:
        """As it is."""
        return output


if __name__ == "__main__":
    server = litserve.LitServer(Api(api_path="/infer"), accelerator="cpu")
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", generate_client_file=False
    )
