"""MLServer with a custom handler, in one process (no parallel workers)."""

import asyncio
import sys

from fastapi import Request
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.handlers import custom_handler

from serving_client import free_port
from serving_peers.model import Model


class Classifier(MLModel):  # type: ignore[misc]  # not installed where types are checked
    """The class of a picture."""

    async def load(self) -> bool:
        """Open the model."""
        self.model = Model(sys.argv[1])
        return True

    @custom_handler(rest_path="/infer")  # type: ignore[untyped-decorator]  # as above
    async def infer(self, request: Request) -> dict[str, object]:
        """The class."""
        picture = await request.body()
        return await asyncio.to_thread(self.model.decide, picture)


async def main() -> None:
    """Serve."""
    settings = Settings(
        host="127.0.0.1",
        http_port=int(sys.argv[2]),
        grpc_port=free_port(),
        metrics_port=free_port(),
        parallel_workers=0,
        debug=False,
    )
    model = ModelSettings(name="mobilenet", implementation=Classifier)
    await MLServer(settings).start([model])


asyncio.run(main())
