"""torchvision's one-stage detectors (FCOS, RetinaNet, SSD) by name, exported without its own NMS.

Overlapping boxes are suppressed inside of the graph by tensor operations alone ("fast NMS", Bolya
et al. 2019, section 4.2), where torchvision's own decoding depends on the data and does not export.
Two-stage detectors cut out regions, which the engines of the edge do not hold; they are refused.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torchvision.models import detection
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou

from edgefactory.datasets.errors import InputError
from edgefactory.training.networks.backbones import check_name, levels_of
from edgefactory.training.networks.base import Network
from edgefactory.training.targets import Targets

_CANDIDATES: Final = 4  # boxes that are compared, for each that may be given
_ONE_STAGE: Final = (detection.FCOS, detection.RetinaNet, detection.ssd.SSD)


class Anchored(NamedTuple):
    """Raw output over A anchors: logits [N,A,C], where boxes lie relative to their anchor [N,A,4],
    and FCOS's centreness [N,A,1]."""

    logits: Tensor
    reach: Tensor
    centre: Tensor | None


def detectors() -> list[str]:
    """The names that torchvision has for detectors."""
    import torchvision

    return list(torchvision.models.list_models(module=detection))


class AnchoredDetector(Network):
    """One of torchvision's detectors; its own losses, our decoding.

    Its losses know neither ignore regions nor weights: `ignores` is False, so the regions are
    painted grey in the pictures.
    """

    ignores = False

    def __init__(self, name: str, classes: int, size: tuple[int, int], detections: int) -> None:
        """`size` is width and height. Raises InputError for a name that is none of them."""
        import torchvision

        super().__init__()
        check_name(name, detectors(), "torchvision")
        background = name.startswith("ssd")
        model: Any = torchvision.models.get_model(
            name, weights=None, weights_backbone=None, num_classes=classes + background
        )
        if not isinstance(model, _ONE_STAGE):
            raise InputError(
                f"model torchvision/{name} has two stages, which the graph contract does not hold; "
                "take one stage, as torchvision/fcos_resnet50_fpn"
            )
        self.detections, self.background = detections, int(background)
        # Those of SSD expect other grey levels than torchvision's other weights.
        self.levels = levels_of(model.transform.image_mean, model.transform.image_std)
        self.model = model
        self.size = size
        self.anchors: Tensor
        self.register_buffer("anchors", self._anchors(), persistent=False)

    def forward(self, pixels: Tensor) -> Anchored:
        """Raw output for pixels [N,3,H,W], float grey levels."""
        found = self.model.head(self._maps(pixels))
        return Anchored(found["cls_logits"], found["bbox_regression"], found.get("bbox_ctrness"))

    def loss(self, raw: Anchored, targets: Targets) -> Tensor:
        """See `Network`; the sum of torchvision's own terms."""
        wanted = [_wanted(targets, row, self.background) for row in range(len(raw.logits))]
        heads = {"cls_logits": raw.logits.float(), "bbox_regression": raw.reach.float()}
        if raw.centre is not None:
            heads["bbox_ctrness"] = raw.centre.float()
        anchors = [self.anchors] * len(wanted)
        if isinstance(self.model, detection.FCOS):
            terms = self.model.compute_loss(wanted, heads, anchors, self.per_level)
        elif isinstance(self.model, detection.RetinaNet):
            terms = self.model.compute_loss(wanted, heads, anchors)
        else:
            matched = [self._matched(target["boxes"]) for target in wanted]
            terms = self.model.compute_loss(wanted, heads, anchors, matched)
        return torch.stack(list(terms.values())).sum()

    def agreement(self, raw: Anchored, reference: Anchored) -> Tensor:
        """See `Network`; the scores alone."""
        wanted = self._scores(reference).detach()
        return torch.nn.functional.mse_loss(self._scores(raw), wanted, reduction="sum") / len(
            wanted
        )

    def decisions(self, raw: Anchored) -> tuple[Tensor, Tensor, Tensor]:
        """See `Network`."""
        scores = self._scores(raw)
        classes = scores.shape[2]
        count = min(_CANDIDATES * self.detections, scores.shape[1] * classes)
        best, index = scores.flatten(1).topk(count, dim=1)
        anchor = torch.div(index, classes, rounding_mode="floor")
        labels = index - anchor * classes
        reach = raw.reach.float().gather(1, anchor.unsqueeze(-1).expand(-1, -1, 4))
        boxes = self._decoded(reach, self.anchors[anchor])
        kept = _kept(boxes, labels, self.model.nms_thresh)
        final, order = (best * kept).topk(min(self.detections, count), dim=1)
        chosen = order.unsqueeze(-1).expand(-1, -1, 4)
        return boxes.gather(1, chosen), final, labels.gather(1, order)

    def _maps(self, pixels: Tensor) -> list[Tensor]:
        return list(self.model.backbone(self.levels(pixels)).values())

    @torch.no_grad()
    def _anchors(self) -> Tensor:
        """Every anchor xyxy [A,4], and `per_level`: how many there are on each map."""
        width, height = self.size
        training = self.model.training
        self.model.eval()
        pixels = torch.zeros(1, 3, height, width)
        maps = self._maps(pixels)
        self.model.train(training)
        anchors: Tensor = self.model.anchor_generator(ImageList(pixels, [(height, width)]), maps)[0]
        cells = sum(m.shape[2] * m.shape[3] for m in maps)
        each = len(anchors) // cells
        self.per_level = [m.shape[2] * m.shape[3] * each for m in maps]
        return anchors

    def _matched(self, boxes: Tensor) -> Tensor:
        """The box of each anchor, or -1, as torchvision's SSD matches them."""
        if not len(boxes):
            return torch.full((len(self.anchors),), -1, dtype=torch.int64, device=boxes.device)
        found: Tensor = self.model.proposal_matcher(box_iou(boxes, self.anchors))
        return found

    def _scores(self, raw: Anchored) -> Tensor:
        """Scores [N,A,C] in 0..1."""
        if self.background:
            return raw.logits.float().softmax(dim=-1)[..., 1:]
        scores = raw.logits.float().sigmoid()
        if raw.centre is None:
            return scores
        return (scores * raw.centre.float().sigmoid()).sqrt()

    def _decoded(self, reach: Tensor, anchors: Tensor) -> Tensor:
        """Boxes xyxy inside of the picture; both [N,T,4]."""
        coder = self.model.box_coder
        flat, at = reach.reshape(-1, 4), anchors.reshape(-1, 4)
        decode = coder.decode if isinstance(self.model, detection.FCOS) else coder.decode_single
        boxes: Tensor = decode(flat, at).reshape(reach.shape)
        width, height = self.size
        return torch.stack(
            (
                boxes[..., 0].clamp(0, width),
                boxes[..., 1].clamp(0, height),
                boxes[..., 2].clamp(0, width),
                boxes[..., 3].clamp(0, height),
            ),
            dim=-1,
        )


def _kept(boxes: Tensor, labels: Tensor, most: float) -> Tensor:
    """1 for boxes that no better one of their class overlaps by more than `most`; best first.

    boxes [N,T,4], labels [N,T]; gives float [N,T].
    """
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    inter = (high - low).clamp(min=0).prod(-1)
    area = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)
    overlap = inter / (area[:, :, None] + area[:, None, :] - inter).clamp(min=1e-6)
    alike = (labels[:, :, None] == labels[:, None, :]).float()
    better = torch.ones_like(overlap[0]).triu(1)  # [i,j]: i is better than j
    return ((overlap * alike * better).amax(dim=1) <= most).float()


def _wanted(targets: Targets, row: int, background: int) -> dict[str, Tensor]:
    """The boxes of one picture as torchvision's losses take them."""
    real = (targets.weights[row] > 0) & ~targets.ignore[row]
    boxes = targets.boxes[row][real]
    real_size = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    return {"boxes": boxes[real_size], "labels": targets.labels[row][real][real_size] + background}
