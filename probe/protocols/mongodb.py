"""MongoDB (https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/): `isMaster`, which every driver begins
with.
"""

from __future__ import annotations

from probe.protocols.named import Named

_COMMAND = "61646d696e2e24636d6400"  # admin.$cmd
_IS_MASTER = "13000000 10 69734d617374657200 01000000 00"

MONGODB = Named(
    port=27017,
    tcp=[
        {"send": {"hex": f"3a000000 <id:4> 00000000 d4070000 00000000 {_COMMAND} 00000000 ffffffff {_IS_MASTER}"}},
        {"expect": {"hex": "??*8 <id> 01000000", "length": 36}},
    ],
    sends="`isMaster`, with a random request id",
    healthy="a reply to that id",
    proves="mongod or mongos is there and reads commands; whether it is primary is not judged",
    logs="two lines, the connection and its end",
    programs="mongod mongos",
    tell=lambda _, __: "MongoDB answer to isMaster",
)
