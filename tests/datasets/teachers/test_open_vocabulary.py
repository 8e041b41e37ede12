"""Open-vocabulary detectors in folders of random weights: what transformers saves, we run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from edgefactory.datasets.errors import InputError, MissingError
from edgefactory.datasets.teachers import Found, open_teacher, parse_teacher

pytestmark = pytest.mark.component

transformers = pytest.importorskip("transformers")

CLASSES = ("car", "traffic light", "Traffic sign")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", "a", "photo", "of", "car", "traffic", "light"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of each kind, as `save_pretrained` writes it."""
    root = tmp_path_factory.mktemp("open-vocabulary")
    torch.manual_seed(3)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    made = {"owlvit": owl("OwlViT"), "owlv2": owl("Owlv2"), "grounding-dino": grounding_dino()}
    for name, (model, images) in made.items():
        for part in (model, images, tokenizer()):
            part.save_pretrained(root / name)
    return {name: root / name for name in made}


def owl(name: str) -> tuple[Any, Any]:
    layers = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    layers |= {"num_attention_heads": 2}
    text = {**layers, "vocab_size": 20, "max_position_embeddings": 8}
    text |= {"bos_token_id": 2, "eos_token_id": 3, "pad_token_id": 0}
    vision = {**layers, "image_size": 32, "patch_size": 8}
    config = getattr(transformers, f"{name}Config")(
        text_config=text, vision_config=vision, projection_dim=16
    )
    images = getattr(transformers, f"{name}ImageProcessor")(size={"height": 32, "width": 32})
    model = getattr(transformers, f"{name}ForObjectDetection")(config)
    with torch.no_grad():  # random weights of full size give boxes without area, scores of 1
        for weight in (*model.box_head.parameters(), *model.class_head.parameters()):
            weight.mul_(0.1)
    return model, images


def grounding_dino() -> tuple[Any, Any]:
    backbone = transformers.SwinConfig(
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage2", "stage3", "stage4"],
    )
    text = transformers.BertConfig(
        vocab_size=20,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    config = transformers.GroundingDinoConfig(
        backbone_config=backbone,
        text_config=text,
        num_queries=10,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        d_model=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        max_text_len=24,
        num_feature_levels=3,
        disable_custom_kernels=True,
    )
    images = transformers.GroundingDinoImageProcessor(
        size={"shortest_edge": 64, "longest_edge": 96}
    )
    return transformers.GroundingDinoForObjectDetection(config), images


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    numbers = {word: i for i, word in enumerate(WORDS)}
    words = Tokenizer(models.WordLevel(numbers, unk_token=WORDS[1]))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {f"{word[1:-1].lower()}_token": word for word in WORDS[:4]}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=words, **special)


def pictures() -> list[NDArray[np.uint8]]:
    noise = np.random.default_rng(0)
    sizes = ((60, 90), (48, 48))
    return [noise.integers(0, 255, (*size, 3), dtype=np.uint8) for size in sizes]


def reference(folder: Path, picture: NDArray[np.uint8], texts: Any) -> Any:
    """What transformers' own code makes of one picture: outputs and its processor."""
    load = {"local_files_only": True}
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder, **load).eval()
    images = transformers.AutoImageProcessor.from_pretrained(folder, **load)
    tokens = transformers.AutoTokenizer.from_pretrained(folder, **load)(
        texts, padding=True, return_tensors="pt"
    )
    given = {key: tokens[key] for key in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        outputs = model(**images(images=[picture], return_tensors="pt"), **given)
    return outputs, images


@pytest.mark.parametrize("kind", ["owlvit", "owlv2"])
def test_owl_finds_what_transformers_finds(folders: dict[str, Path], kind: str) -> None:
    teacher = open_teacher(parse_teacher(f"open-vocabulary:{folders[kind]}?min_score=0", CLASSES))
    assert (teacher.task, teacher.classes, len(teacher.digest)) == ("detection", CLASSES, 64)
    for picture, found in zip(pictures(), teacher.predict(pictures()), strict=True):
        outputs, images = reference(folders[kind], picture, [f"a photo of a {c}" for c in CLASSES])
        (expected,) = images.post_process_object_detection(
            outputs, threshold=0, target_sizes=torch.tensor([picture.shape[:2]])
        )
        high, wide = picture.shape[:2]
        boxes = expected["boxes"].numpy().clip(0, [wide, high, wide, high])
        assert len(found.scores) > 0
        rows = np.concatenate([boxes, expected["scores"][:, None], expected["labels"][:, None]], 1)
        assert all(np.abs(rows - row).max(axis=1).min() < 1e-3 for row in as_rows(found))


def as_rows(found: Found) -> NDArray[np.float32]:
    columns = [found.boxes, found.scores[:, None], found.classes[:, None].astype(np.float32)]
    return np.concatenate(columns, axis=1)


def test_grounding_dino_scores_a_class_by_its_words(folders: dict[str, Path]) -> None:
    folder = folders["grounding-dino"]
    teacher = open_teacher(parse_teacher(f"open-vocabulary:{folder}?min_score=0", CLASSES))
    picture = pictures()[0]
    (found,) = teacher.predict([picture])
    outputs, _ = reference(folder, picture, "car. traffic light. traffic sign.")
    # [CLS] car . traffic light . traffic [UNK] . [SEP]
    shares = outputs.logits[0].sigmoid().numpy()
    scores = np.stack([shares[:, 1], shares[:, 3:5].mean(axis=1), shares[:, 6:8].mean(axis=1)], 1)
    assert len(found.scores) > 0
    for score, kind in zip(found.scores, found.classes, strict=True):
        assert np.abs(scores[:, kind] - score).min() < 1e-5
    assert found.scores[0] == pytest.approx(scores.max(), abs=1e-5)
    first, second = teacher.predict(pictures())
    assert (first.boxes <= [90, 60, 90, 60]).all()
    assert (second.boxes <= 48).all()


def test_too_many_words_for_the_model_are_refused(folders: dict[str, Path]) -> None:
    text = f"open-vocabulary:{folders['grounding-dino']}"
    with pytest.raises(InputError, match=r"takes 24: name fewer"):
        open_teacher(parse_teacher(text, tuple(f"car {i}" for i in range(20))))
    with pytest.raises(InputError, match="full stop"):
        open_teacher(parse_teacher(text, ("car", "no. 5")))
    with pytest.raises(InputError, match="what to look for"):
        open_teacher(parse_teacher(text))


def test_only_safetensors_are_read(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["owlvit"], folder)
    weights = folder / "model.safetensors"
    weights.rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"expected a folder with \.safetensors"):
        open_teacher(parse_teacher(f"open-vocabulary:{folder}", CLASSES))
    weights.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="is no open-vocabulary detector") as caught:
        open_teacher(parse_teacher(f"open-vocabulary:{folder}", CLASSES))
    assert "\n" not in str(caught.value)


def test_weights_that_lack_a_part_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["owlvit"], folder)
    weights = load_file(folder / "model.safetensors")
    del weights["box_head.dense0.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"lacks weights, as box_head\.dense0\.weight"):
        open_teacher(parse_teacher(f"open-vocabulary:{folder}", CLASSES))


def test_another_model_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["owlvit"], folder)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"owlvit"', '"bert"'))
    with pytest.raises(InputError, match="is no open-vocabulary detector"):
        open_teacher(parse_teacher(f"open-vocabulary:{folder}", CLASSES))


def test_a_card_that_is_not_there_is_said(folders: dict[str, Path]) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a card")
    with pytest.raises(MissingError, match="use device=cpu"):
        open_teacher(parse_teacher(f"open-vocabulary:{folders['owlvit']}?device=cuda", CLASSES))
