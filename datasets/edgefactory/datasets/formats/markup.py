"""XML from strangers: elements and text, and nothing that XML can be made to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from edgefactory.datasets.errors import InputError


def parse_xml(content: bytes, where: str) -> Element:
    """The root element. Raises `InputError`, naming `where`, for a document type or broken XML.

    Entities are declared in document types, so without those nothing expands and nothing is
    fetched.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refused(where)
    parser.StartElementHandler = lambda tag, attributes: _start(builder, tag, attributes)
    parser.EndElementHandler = lambda tag: _end(builder, tag)
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise InputError(f"{where} is no XML that can be read: {error}") from error
    return builder.close()


def _refused(where: str) -> Callable[..., NoReturn]:
    def refuse(*_declaration: object) -> NoReturn:
        raise InputError(f"{where} declares a document type, which labels never need: remove it")

    return refuse


def _start(builder: TreeBuilder, tag: str, attributes: dict[str, str]) -> None:
    builder.start(tag, attributes)


def _end(builder: TreeBuilder, tag: str) -> None:
    builder.end(tag)
