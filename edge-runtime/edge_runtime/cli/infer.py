"""Say what the active release, or one in a folder, decides about pictures or recordings."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.cli.console import Console
from edge_runtime.cli.options import add_model, add_threads

if TYPE_CHECKING:
    from edge_runtime.inference import Runtime
    from edge_runtime.result import Result


RECORDINGS = (".wav", ".npy")
SHOWN = 4  # numbers of an embedding; --json has all
FILES = (
    "a JPEG or PNG picture, or a folder of them; for a model of sequences a WAV file of its rate, "
    "or features as .npy"
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `infer`."""
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help=FILES)
    add_model(parser)
    parser.add_argument(
        "--release",
        type=Path,
        metavar="DIR",
        help="a release folder instead of what is active; no signature is asked for",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="save each picture with its boxes")
    add_threads(parser)


def run(options: argparse.Namespace, console: Console) -> None:
    """Decide about each picture in turn; the first that cannot be read ends it."""
    from edge_runtime.inference import Runtime

    files = _pictures(options.files, options.out)
    if options.release is None:
        runtime = Runtime(options.state, options.threads)
    else:
        runtime = Runtime.from_release(options.release, options.threads)
    values, lines = [], []
    for number, file in enumerate(files):
        console.progress(number, len(files), str(file))
        for result in _decided(runtime, file, options):
            values.append({"file": str(file), **result.plain()})
            lines += _lines(file, result)
    if options.release is not None:
        lines.append("not verified by signatures: only the digests in release.json were checked")
    console.result({"pictures": values, "signed": options.release is None}, lines)


def _decided(runtime: "Runtime", file: Path, options: argparse.Namespace) -> "tuple[Result, ...]":
    from edge_runtime import durable

    if file.suffix.lower() in RECORDINGS:
        results = runtime.stretches(file, options.model)
    else:
        results = (runtime.infer(file, options.model),)
    if options.out is not None:
        durable.make_folder(options.out)
        for number, result in enumerate(results):
            end = f"-{number}" if len(results) > 1 else ""
            result.save(options.out / f"{file.stem}{end}.png")
    return results


def _pictures(given: list[Path], out: Path | None) -> list[Path]:
    """The files, those of folders in order. Raises InputError when two would be saved as one."""
    from edge_runtime.errors import InputError
    from edge_runtime.streams.sources import pictures_in

    files = [file for path in given for file in (pictures_in(path) if path.is_dir() else [path])]
    if out is not None:
        names: dict[str, Path] = {}
        for file in files:
            other = names.setdefault(file.stem, file)
            if other is not file:
                raise InputError(f"{other} and {file} would both become {out / file.stem}.png")
    return files


def _lines(file: Path, result: "Result") -> list[str]:
    about = str(file) if result.seconds is None else f"{file} {result.seconds:.3f} s"
    if result.embedding is not None:
        first = " ".join(f"{value:.4f}" for value in result.embedding[:SHOWN])
        return [f"{about}  {len(result.embedding)} numbers: {first} …"]
    if not result.decisions:
        return [f"{about}  nothing"]
    return [
        f"{about}  {found.label} {found.score:.3f}"
        + ("" if found.box is None else "  " + " ".join(f"{value:.1f}" for value in found.box))
        for found in result.decisions
    ]
