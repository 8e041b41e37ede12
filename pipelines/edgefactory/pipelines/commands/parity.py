"""Do two models decide the same? Compare them in pairs, and find where they part.

REFERENCE is trusted, OTHER is what was made from it: checkpoints, files .onnx or .xml, folders of
variants (--variant), releases. Every picture of SNAP is shown to both. Equivalent means shown to be
so: with 95% confidence fewer than --margin of the decisions change, and scores move by less than
--score-margin in the mean. Exit code 0: equivalent; 4: not, or too few pictures to tell.

Where it is not shown, the chain pre-processing, ONNX, OpenVINO, quantized, post-processing is gone
along, and the first stage that departs is named, with the first layer. Forms that OTHER was made
from can be added with --via, in their order; what another implementation of the pre-processing
feeds its graph with --fed, a folder of arrays ITEM.npy. --out writes parity.json and parity.html.
"""

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from edgefactory.pipelines.outcome import Outcome
from edgefactory.pipelines.screen import Screen

if TYPE_CHECKING:
    from edgefactory.compress.parity import ParitySettings, Pipeline
    from edgefactory.pipelines.paritypage import Sides

HELP = "do two models decide the same? if not, where do they part?"
STAGE: str | None = None

REFUSED = 4


def options(parser: ArgumentParser) -> None:
    """The two, the pictures, and the margins."""
    parser.add_argument("reference", metavar="REFERENCE", help="the model that is trusted")
    parser.add_argument("other", metavar="OTHER", help="the model that should decide the same")
    parser.add_argument(
        "--data", metavar="SNAP", required=True, help="the folder of the snapshot with the pictures"
    )
    parser.add_argument(
        "--split", choices=("train", "val", "test", "all"), default="all", help="its part (all)"
    )
    parser.add_argument(
        "--margin", metavar="SHARE", type=float, default=0.05,
        help="of the decisions that may change (0.05)",
    )  # fmt: skip
    parser.add_argument(
        "--score-margin", metavar="S", type=float, default=0.02,
        help="that scores may move by in the mean (0.02)",
    )  # fmt: skip
    parser.add_argument(
        "--score", metavar="S", type=float, help="from which a detection counts (the models' own)"
    )
    parser.add_argument("--engine", choices=("onnxruntime", "openvino"), help="what runs OTHER")
    parser.add_argument("--variant", metavar="NAME", help="of OTHER, a release or variants")
    parser.add_argument(
        "--via", metavar="FILE", action="append", default=[], help="a form that OTHER was made from"
    )
    parser.add_argument("--fed", metavar="DIR", help="what OTHER's graph was fed: ITEM.npy each")
    parser.add_argument("--out", metavar="DIR", help="write parity.html and parity.json there")


def run(args: Namespace, screen: Screen) -> Outcome:
    """Two models and a snapshot -> whether they decide the same."""
    from pathlib import Path

    import msgspec

    from edgefactory.datasets.files import require_replaceable

    settings, out, folder = _settings(args), Path(args.out) if args.out else None, Path(args.data)
    if out is not None:
        require_replaceable(out, "parity.json")
    screen.progress(0, 0, "opening the models")
    from edgefactory.compress.parity import parity
    from edgefactory.pipelines.paritypage import claim, print_parity, write_parity

    sides = _sides(args)
    found = parity(settings, sides.models, folder, sides.chains, screen.progress)
    page = write_parity(found, sides, folder, out, screen.progress) if out else None
    screen.clear()
    if not args.json:
        print_parity(found)
    line = f"{claim(found)}; {page}" if page else claim(found)
    code = 0 if found.verdict == "equivalent" else REFUSED
    return Outcome(line, msgspec.to_builtins(found), code)


def _settings(args: Namespace) -> "ParitySettings":
    from edgefactory.compress.parity import ParitySettings
    from edgefactory.datasets.errors import InputError

    for name in ("margin", "score_margin", "score"):
        value = getattr(args, name)
        if value is not None and not 0 < value < 1:
            option = name.replace("_", "-")
            raise InputError(f"--{option} is {value:g}; expected a number between 0 and 1")
    return ParitySettings(args.split, args.margin, args.score_margin, args.score)


def _sides(args: Namespace) -> "Sides":
    from functools import cache
    from pathlib import Path

    from edgefactory.compress import Opening, open_model
    from edgefactory.compress.parity import fed_from, other_pipeline, reference_pipeline
    from edgefactory.compress.parity.chains import PipelineModel
    from edgefactory.datasets import read_snapshot
    from edgefactory.pipelines.paritypage import Sides

    how = Opening(args.engine, args.variant)
    reference, other = open_model(args.reference, Opening()), open_model(args.other, how)
    via = [Path(path) for path in args.via]

    @cache
    def suspect() -> "Pipeline":
        made = other_pipeline(Path(args.other), how, via)
        if not args.fed:
            return made
        items = read_snapshot(Path(args.data)).items
        return fed_from(made, Path(args.fed), items, Path(args.data))

    if args.fed:
        other = PipelineModel(other.about, suspect(), other.point)
    return Sides((reference, other), lambda: (reference_pipeline(Path(args.reference)), suspect()))
