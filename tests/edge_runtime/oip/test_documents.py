"""Documents of the Open Inference Protocol: tensors in JSON and in binary, refused in one line."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.contract import Outputs
from edge_runtime.serving.http1 import AnswerError
from edge_runtime.serving.oip import Wanted, choose, infer_answer, parse_infer

SHAPE = (1, 2, 3)
DATA = [[[[1, 2, 3], [4, 5, 255]]]]


def _document(**changed: Any) -> dict[str, Any]:
    given = {"name": "image", "shape": [1, *SHAPE], "datatype": "UINT8", "data": DATA, **changed}
    return {"inputs": [{key: value for key, value in given.items() if value is not None}]}


def _bytes(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize("data", [DATA, [1, 2, 3, 4, 5, 255]])
def test_data_may_be_nested_or_flat(data: object) -> None:
    found = parse_infer(_bytes(_document(data=data)), None, SHAPE)
    assert isinstance(found.given, np.ndarray)
    assert found.given.tolist() == DATA
    assert found.given.dtype == np.uint8


def test_binary_data_follows_the_document() -> None:
    document = _bytes(_document(data=None, parameters={"binary_data_size": 6}))
    found = parse_infer(document + bytes(range(6)), str(len(document)), SHAPE)
    assert isinstance(found.given, np.ndarray)
    assert found.given.ravel().tolist() == list(range(6))


def test_pictures_each_follow_their_length() -> None:
    binary = b"\x02\0\0\0ab" + b"\x00\0\0\0" + b"\x01\0\0\0c"
    given = _document(
        shape=[3], datatype="BYTES", data=None, parameters={"binary_data_size": len(binary)}
    )
    document = _bytes(given)
    assert parse_infer(document + binary, str(len(document)), SHAPE).given == (b"ab", b"", b"c")


def test_a_single_picture_may_follow_as_it_is() -> None:
    document = _bytes(_document(shape=[1], datatype="BYTES", data=None))
    assert parse_infer(document + b"file", str(len(document)), SHAPE).given == (b"file",)


def test_an_output_is_binary_as_it_says_itself_or_as_all_are() -> None:
    document = {
        **_document(),
        "parameters": {"binary_data_output": True},
        "outputs": [{"name": "a", "parameters": {"binary_data": False}}, {"name": "b"}],
    }
    found = parse_infer(_bytes(document), None, SHAPE)
    assert found.wanted == (Wanted("a", False), Wanted("b", True))
    assert found.binary


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"inputs": []},
        {**_document(), "surprise": 1},
        _document(name="picture"),
        _document(datatype="FP32"),
        _document(shape=[2, *SHAPE]),
        _document(shape=[1, 9, 2, 3]),
        _document(shape=[-1, *SHAPE]),
        _document(shape=[0, *SHAPE]),
        _document(shape=[2**80, *SHAPE]),
        _document(data=[1, 2, 3, 4, 5, 256]),
        _document(data=[1, 2, 3, 4, 5, -1]),
        _document(data=[1, 2, 3, 4, 5, 0.5]),
        _document(data=[1, 2, 3, 4, 5, True]) | {"outputs": [{"name": "a"}, {"name": "a"}]},
        _document(data=[1, 2, 3, 4, 5, 10**30]),
        _document(data=[[1, 2], [3]]),
        _document(data=[[1, 2, 3, 4, 5, 6]]),
        _document(data=["a"] * 6),
        _document(data=[None] * 6),
        _document(data=[]),
        _document(data=None),
        _document(data=None, parameters={"binary_data_size": 6}),
        _document(data=None, parameters={"shared_memory_region": "a"}),
        _document(datatype="BYTES", shape=[1], data=["a"]),
        _document(datatype="BYTES", shape=[2], data=None),
        {**_document(), "parameters": {"binary_data_output": "yes"}},
        {**_document(), "outputs": [{"name": "a", "parameters": {"classification": 3}}]},
    ],
)
def test_what_is_no_request_is_refused(document: object) -> None:
    with pytest.raises(AnswerError) as caught:
        parse_infer(_bytes(document), None, SHAPE)
    assert caught.value.status == 400


@pytest.mark.parametrize("length", ["", "-1", "x", "9999999", "9" * 400, "1.5"])
def test_a_wrong_length_of_the_document_is_refused(length: str) -> None:
    with pytest.raises(AnswerError, match="inference-header-content-length"):
        parse_infer(_bytes(_document()), length, SHAPE)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"[" * 100_000, b'{"inputs":' * 50_000, b'{"inputs": [{"data": NaN}]}'],
)
def test_hostile_json_is_refused(body: bytes) -> None:
    with pytest.raises(AnswerError) as caught:
        parse_infer(body, None, SHAPE)
    assert caught.value.status == 400


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=5), children, max_size=4)
    ),
    max_leaves=12,
)
_FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("image") | _JSON,
        "shape": st.lists(st.integers(-1, 4), max_size=5) | _JSON,
        "datatype": st.sampled_from(["UINT8", "BYTES", "FP32"]) | _JSON,
        "data": st.just(DATA) | _JSON,
        "parameters": st.dictionaries(st.just("binary_data_size"), st.integers(-1, 9)) | _JSON,
    },
)


@given(_FIELDS, st.binary(max_size=20), st.none() | st.integers(0, 300))
def test_any_document_is_a_request_or_one_refusal(
    given_input: dict[str, Any], binary: bytes, cut: int | None
) -> None:
    document = _bytes({"inputs": [given_input]})
    length = str(len(document) if cut is None else cut)
    refused: AnswerError | None = None
    try:
        found = parse_infer(document + binary, length, SHAPE)
    except AnswerError as error:
        refused = error
    if refused is not None:
        assert refused.status == 400
        return
    assert len(found.given) >= 1
    if isinstance(found.given, np.ndarray):
        assert found.given.shape[1:] == SHAPE


def test_outputs_go_back_as_they_were_asked_for() -> None:
    outputs: Outputs = {"a": np.array([[1.5, 2]], np.float32), "b": np.array([7], np.int64)}
    answer = infer_answer({"id": "x"}, outputs, [Wanted("b", True), Wanted("a", False)])
    length = int(answer.headers["Inference-Header-Content-Length"])
    assert json.loads(answer.body[:length]) == {
        "id": "x",
        "outputs": [
            {"name": "b", "datatype": "INT64", "shape": [1], "parameters": {"binary_data_size": 8}},
            {"name": "a", "datatype": "FP32", "shape": [1, 2], "data": [1.5, 2.0]},
        ],
    }
    assert answer.body[length:] == (7).to_bytes(8, "little")


def test_an_output_that_there_is_not_is_named() -> None:
    found = parse_infer(_bytes({**_document(), "outputs": [{"name": "c"}]}), None, SHAPE)
    with pytest.raises(AnswerError, match=r"no output 'c' \(there are: a, b\)"):
        choose({"a": np.zeros(1), "b": np.zeros(1)}, ("a",), found)
