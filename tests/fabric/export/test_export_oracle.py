"""Traces read by the protobuf library itself, through the message types of Chakra's schema. Skipped where it is missing."""

from __future__ import annotations

import pytest
from export_readers import read_trace, read_varint

from gigawatt.physics.fabric.export import Collective, Compute, collective_traces, message_traces, training_step

pytest.importorskip("google.protobuf")
pytestmark = pytest.mark.oracle


def chakra_node():
    """`Node` of et_def.proto as far as traces use it: numbers and types of the schema, no generated code."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="et.proto", package="ChakraProtoMsg", syntax="proto3")

    def message(name, fields):
        found = file.message_type.add(name=name)
        for field, number, kind, label, type_name in fields:
            found.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)
        return found

    one, many = kinds.LABEL_OPTIONAL, kinds.LABEL_REPEATED
    attribute = message(
        "AttributeProto",
        [
            ("name", 1, kinds.TYPE_STRING, one, None),
            ("int64_val", 9, kinds.TYPE_INT64, one, None),
            ("bool_val", 27, kinds.TYPE_BOOL, one, None),
            ("string_val", 29, kinds.TYPE_STRING, one, None),
        ],
    )
    attribute.oneof_decl.add(name="value")
    for field in attribute.field[1:]:
        field.oneof_index = 0
    message(
        "Node",
        [
            ("id", 1, kinds.TYPE_UINT64, one, None),
            ("name", 2, kinds.TYPE_STRING, one, None),
            ("type", 3, kinds.TYPE_INT32, one, None),
            ("data_deps", 5, kinds.TYPE_UINT64, many, None),
            ("duration_micros", 7, kinds.TYPE_UINT64, one, None),
            ("attr", 10, kinds.TYPE_MESSAGE, many, ".ChakraProtoMsg.AttributeProto"),
        ],
    )
    message("GlobalMetadata", [("version", 1, kinds.TYPE_STRING, one, None)])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = ("GlobalMetadata", "Node")
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(f"ChakraProtoMsg.{name}")) for name in names]


@pytest.mark.parametrize(
    "files",
    [
        message_traces(training_step(4, 0.0117, 4_000_000_000_000, buckets=2, sites=2)),
        collective_traces(
            [Compute(0.001), Collective("all_reduce", 1 << 40), Collective("all_to_all", 999, (1, 2))], 3
        ),
    ],
    ids=["messages", "collectives"],
)
def test_protobuf_reads_what_was_written(files: dict[str, bytes]) -> None:
    metadata, node = chakra_node()
    for name, data in files.items():
        if not name.endswith(".et"):
            continue
        version, ours = read_trace(data)
        at, theirs = 0, []
        while at < len(data):
            size, at = read_varint(data, at)
            theirs.append(data[at : at + size])
            at += size
        assert metadata.FromString(theirs[0]).version == version
        assert len(theirs) == 1 + len(ours)
        for raw, own in zip(theirs[1:], ours, strict=True):
            parsed = node.FromString(raw)
            found = {a.name: getattr(a, a.WhichOneof("value")) for a in parsed.attr}
            assert (parsed.id, parsed.name, parsed.type) == (own.id, own.name, own.type)
            assert (list(parsed.data_deps), parsed.duration_micros, found) == (own.deps, own.micros, own.attr)
            # Nothing beyond the schema, and the same bytes the library writes (which leaves an id of 0 out).
            parsed.DiscardUnknownFields()
            assert parsed.SerializeToString(deterministic=True) == (raw if own.id else raw[2:])
