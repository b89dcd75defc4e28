"""Compiled-style models: a CPU model's operators behind the one custom op that only an Edge TPU's library knows.

As with Google's compiler the program for the chip lies in the custom op's options. The program of an emulated chip is
the model's twin for the CPU. A `TFLite_Detection_PostProcess` at the end stays on the CPU, as on the real chip.
"""

from __future__ import annotations

from typing import Any

import numpy as np

CUSTOM_OP = b"edgetpu-custom-op"
STAYS_ON_CPU = b"TFLite_Detection_PostProcess"
PROGRAM_MARK = b"smartcam emulated Edge TPU: the twin follows\n"
"""What the options of a compiled-style model begin with."""


def compiled(cpu_model: bytes) -> bytes:
    """The same model for the Edge TPU: same inputs and outputs, their names and quantisation. Raises ValueError."""
    model = _unpack(cpu_model)
    graph = model.subgraphs[0]
    body, tail = _split(model)
    results = _results(graph, body, tail)
    program = np.frombuffer(PROGRAM_MARK + _twin(cpu_model, body, results), np.uint8)
    schema = _schema()
    model.operatorCodes.append(
        schema.OperatorCodeT(
            deprecatedBuiltinCode=schema.BuiltinOperator.CUSTOM,
            builtinCode=schema.BuiltinOperator.CUSTOM,
            customCode=CUSTOM_OP.decode(),
            version=1,
        )
    )
    custom = schema.OperatorT(
        opcodeIndex=len(model.operatorCodes) - 1, inputs=list(graph.inputs), outputs=results, customOptions=program
    )
    graph.operators = [custom, *tail]
    _forget_what_is_unused(model)
    return _pack(model)


def program_of(compiled_model: bytes) -> bytes:
    """What a compiled model, Google's or ours, holds for the chip. Raises ValueError when there is none."""
    model = _unpack(compiled_model)
    for operator in model.subgraphs[0].operators:
        if model.operatorCodes[operator.opcodeIndex].customCode == CUSTOM_OP:
            return bytes(operator.customOptions)
    raise ValueError("the model is not compiled for the Edge TPU")


def without_graph(model: bytes) -> bytes:
    """The model with damage that interpreters do not notice, and die of: where its graph should be, there is none."""
    damaged = _unpack(model)
    damaged.subgraphs = None
    return _pack(damaged) + model


def _twin(cpu_model: bytes, body: list[Any], results: list[int]) -> bytes:
    """The part of the model that moves to the chip, as a model of its own."""
    model = _unpack(cpu_model)
    graph = model.subgraphs[0]
    if len(graph.operators) == len(body) and list(graph.outputs) == results:
        return cpu_model
    graph.operators = graph.operators[: len(body)]
    graph.outputs = results
    _forget_what_is_unused(model)
    return _pack(model)


def _split(model: Any) -> tuple[list[Any], list[Any]]:
    """The operators for the chip, and those at the end that stay on the CPU."""
    if len(model.subgraphs) != 1:
        raise ValueError("only models of one graph can be compiled here")
    operators = model.subgraphs[0].operators
    end = len(operators)
    while end and model.operatorCodes[operators[end - 1].opcodeIndex].customCode == STAYS_ON_CPU:
        end -= 1
    if not end:
        raise ValueError("nothing is left for the Edge TPU")
    return operators[:end], operators[end:]


def _results(graph: Any, body: list[Any], tail: list[Any]) -> list[int]:
    """The tensors that leave the chip, each once: for the CPU's part, and as outputs of the model."""
    made = {int(tensor) for operator in body for tensor in operator.outputs}
    wanted = [int(tensor) for operator in tail for tensor in operator.inputs] + [int(each) for each in graph.outputs]
    return [tensor for tensor in dict.fromkeys(wanted) if tensor in made]


def _forget_what_is_unused(model: Any) -> None:
    """Tensors, buffers and operator codes that no operator names any more; signatures, which name tensors too."""
    graph = model.subgraphs[0]
    lists = [graph.inputs, graph.outputs] + [each for op in graph.operators for each in (op.inputs, op.outputs)]
    tensors = {old: new for new, old in enumerate(sorted({int(each) for some in lists for each in some} - {-1}))}
    graph.inputs, graph.outputs = _renumbered(graph.inputs, tensors), _renumbered(graph.outputs, tensors)
    for operator in graph.operators:
        operator.inputs = _renumbered(operator.inputs, tensors)
        operator.outputs = _renumbered(operator.outputs, tensors)
        operator.intermediates = None
    graph.tensors = [graph.tensors[old] for old in tensors]

    kept = {0, *(tensor.buffer for tensor in graph.tensors), *(each.buffer for each in model.metadata or [])}
    buffers = {old: new for new, old in enumerate(sorted(kept))}
    for owner in [*graph.tensors, *(model.metadata or [])]:
        owner.buffer = buffers[owner.buffer]
    model.buffers = [model.buffers[old] for old in buffers]

    codes = {old: new for new, old in enumerate(sorted({operator.opcodeIndex for operator in graph.operators}))}
    for operator in graph.operators:
        operator.opcodeIndex = codes[operator.opcodeIndex]
    model.operatorCodes = [model.operatorCodes[old] for old in codes]
    model.signatureDefs = model.metadataBuffer = None


def _renumbered(tensors: Any, numbers: dict[int, int]) -> list[int]:
    return [numbers.get(int(tensor), -1) for tensor in tensors]


def _schema() -> Any:
    from ai_edge_litert import schema_py_generated

    return schema_py_generated


def _unpack(model: bytes) -> Any:
    return _schema().ModelT.InitFromPackedBuf(model, 0)


def _pack(model: Any) -> bytes:
    import flatbuffers  # type: ignore[import-untyped]  # it has no stubs

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
