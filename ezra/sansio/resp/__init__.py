"""RESP2 and RESP3: bytes to values and back. Knows nothing of commands or queues.

A server reads with `RequestDecoder` and writes with `encode`; a client, or a test, reads with
`Decoder`. Read `values` first.
"""

from ezra.sansio.resp.buffer import NEED_DATA, NeedData
from ezra.sansio.resp.decoder import Decoder
from ezra.sansio.resp.encoder import encode
from ezra.sansio.resp.limits import Limits
from ezra.sansio.resp.requests import Oversized, RequestDecoder
from ezra.sansio.resp.scalars import to_bytes, to_text
from ezra.sansio.resp.values import (
    NULL_ARRAY,
    OK,
    Attribute,
    BigNumber,
    BulkError,
    Map,
    NullArray,
    Push,
    Set,
    SimpleError,
    SimpleString,
    Value,
    VerbatimString,
)

__all__ = [
    "NEED_DATA",
    "NULL_ARRAY",
    "OK",
    "Attribute",
    "BigNumber",
    "BulkError",
    "Decoder",
    "Limits",
    "Map",
    "NeedData",
    "NullArray",
    "Oversized",
    "Push",
    "RequestDecoder",
    "Set",
    "SimpleError",
    "SimpleString",
    "Value",
    "VerbatimString",
    "encode",
    "to_bytes",
    "to_text",
]
