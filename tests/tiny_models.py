"""Tiny models, made at test time: what they answer is written into the test, and the interpreter is the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Canned:
    """An output that is always the same."""

    name: str
    value: NDArray[Any]
    scale: float = 0.0
    zero_point: int = 0


def model_bytes(
    outputs: Sequence[Canned] = (),
    *,
    size: tuple[int, int] = (8, 8),
    dtype: str = "uint8",
    scale: float = 0.0,
    zero_point: int = 0,
    echo: bool = False,
    custom_op: str | None = None,
) -> bytes:
    """A TFLite model of RESHAPE operators: constants come out as they are, and with `echo` the picture as the last."""
    import flatbuffers  # type: ignore[import-untyped]  # it has no stubs
    from ai_edge_litert import schema_py_generated as schema

    types = schema.TensorType
    codes = {"float32": types.FLOAT32, "uint8": types.UINT8, "int8": types.INT8, "int32": types.INT32}
    buffers = [schema.BufferT(data=[])]
    tensors: list[Any] = []

    def tensor(name: str, shape: Sequence[int], kind: str, quantised: tuple[float, int], data: Any = None) -> int:
        if data is not None:
            buffers.append(schema.BufferT(data=np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)))
        made = schema.TensorT(
            shape=list(shape), type=codes[kind], buffer=0 if data is None else len(buffers) - 1, name=name
        )
        if quantised[0]:
            made.quantization = schema.QuantizationParametersT(scale=[quantised[0]], zeroPoint=[quantised[1]])
        tensors.append(made)
        return len(tensors) - 1

    picture = tensor("picture", (1, size[1], size[0], 3), dtype, (scale, zero_point))
    answers = [
        (
            tensor(
                f"constant {out.name}", out.value.shape, str(out.value.dtype), (out.scale, out.zero_point), out.value
            ),
            tensor(out.name, out.value.shape, str(out.value.dtype), (out.scale, out.zero_point)),
            out.value.shape,
        )
        for out in outputs
    ]
    if echo or not outputs:
        shape = (1, size[1], size[0], 3)
        answers.append((picture, tensor("echo", shape, dtype, (scale, zero_point)), shape))
    operators = []
    for source, answer, shape in answers:
        sizes = tensor(f"shape {answer}", (len(shape),), "int32", (0.0, 0), np.array(shape, np.int32))
        operators.append(schema.OperatorT(opcodeIndex=0, inputs=[source, sizes], outputs=[answer]))
    reshape = schema.BuiltinOperator.RESHAPE
    code = schema.OperatorCodeT(builtinCode=reshape, deprecatedBuiltinCode=reshape)
    if custom_op:
        custom = schema.BuiltinOperator.CUSTOM
        code = schema.OperatorCodeT(builtinCode=custom, deprecatedBuiltinCode=custom, customCode=custom_op)
    graph = schema.SubGraphT(
        tensors=tensors, inputs=[picture], outputs=[answer for _, answer, _ in answers], operators=operators
    )
    model = schema.ModelT(version=3, operatorCodes=[code], subgraphs=[graph], buffers=buffers)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
