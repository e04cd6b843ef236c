"""A CLIP of a few kilobytes in the layout of the real one, which knows three colours as photos and words.

Its two ONNX files are encoded here as protobuf messages, so that no test needs the package `onnx`.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

SIZE = 512
WORDS = ("<pad>", "<unk>", "red", "green", "blue")
_FLOAT, _INT64 = 1, 7


def write_toy_clip(folder: Path, *, seed: int = 0) -> Path:
    """Write the model to a folder. Another `seed` makes another model."""
    # Three orthogonal directions, one per channel.
    directions = np.linalg.qr(np.random.default_rng(seed).normal(size=(SIZE, 3)))[0].T.astype(np.float32)
    colours = np.array([(0, 0, 0), (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)], np.float32)
    vision, text = folder / "vision", folder / "text"
    for half in (vision, text):
        half.mkdir(parents=True)
    (vision / "model.onnx").write_bytes(
        _model(
            [
                _node("GlobalAveragePool", ["pixel_values"], "mean"),
                _node("Flatten", ["mean"], "flat"),
                _node("MatMul", ["flat", "directions"], "image_embeds"),
            ],
            [_tensor("directions", directions)],
            _value("pixel_values", _FLOAT, ["batch", 3, 224, 224]),
            _value("image_embeds", _FLOAT, ["batch", SIZE]),
        )
    )
    (vision / "preprocessor_config.json").write_text(
        json.dumps(
            {
                "image_processor_type": "CLIPImageProcessor", "do_resize": True, "size": {"shortest_edge": 224},
                "resample": 3, "do_center_crop": True, "crop_size": {"height": 224, "width": 224}, "do_rescale": True,
                "rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0, 0, 0], "image_std": [1, 1, 1],
            }
        )
    )  # fmt: skip
    (text / "model.onnx").write_bytes(
        _model(
            [
                _node("Gather", ["colours", "input_ids"], "found"),
                _node("ReduceMean", ["found"], "mean", axes=[1], keepdims=0),
                _node("MatMul", ["mean", "directions"], "text_embeds"),
            ],
            [_tensor("colours", colours), _tensor("directions", directions)],
            _value("input_ids", _INT64, ["batch", "length"]),
            _value("text_embeds", _FLOAT, ["batch", SIZE]),
        )
    )
    tokenizer = Tokenizer(WordLevel({word: id for id, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = Whitespace()  # type: ignore[assignment]
    tokenizer.save(str(text / "tokenizer.json"))
    (text / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 77, "pad_token": "<pad>"}))
    return folder


def _model(nodes: Sequence[bytes], weights: Sequence[bytes], inputs: bytes, result: bytes) -> bytes:
    graph = b"".join(
        [*(_bytes(1, node) for node in nodes), _bytes(2, b"toy"), *(_bytes(5, weight) for weight in weights),
         _bytes(11, inputs), _bytes(12, result)]
    )  # fmt: skip
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _number(2, 13))  # IR version, graph, operator set


def _node(kind: str, inputs: Sequence[str], result: str, **attributes: int | list[int]) -> bytes:
    written = [_bytes(1, name.encode()) for name in inputs] + [_bytes(2, result.encode()), _bytes(4, kind.encode())]
    for name, value in attributes.items():
        numbers, type = ([_number(8, one) for one in value], 7) if isinstance(value, list) else ([_number(3, value)], 2)
        written.append(_bytes(5, b"".join([_bytes(1, name.encode()), *numbers, _number(20, type)])))
    return b"".join(written)


def _tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(_number(1, size) for size in values.shape)
    return dims + _number(2, _FLOAT) + _bytes(8, name.encode()) + _bytes(9, values.tobytes())


def _value(name: str, type: int, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(
        _bytes(1, _number(1, size) if isinstance(size, int) else _bytes(2, size.encode())) for size in shape
    )
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, _number(1, type) + _bytes(2, dims)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])
