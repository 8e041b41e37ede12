"""FastAPI on uvicorn, as its documentation has it: a plain function, run in its thread pool."""

import sys

import uvicorn
from fastapi import Body, FastAPI

from serving_peers.model import Model

model = Model(sys.argv[1])
app = FastAPI()


@app.post("/infer")
def infer(picture: bytes = Body(media_type="image/jpeg")) -> dict[str, object]:
    """The class of a picture."""
    return model.decide(picture)


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
