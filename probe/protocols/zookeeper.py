"""ZooKeeper's four letter words (https://zookeeper.apache.org/doc/current/zookeeperAdmin.html#sc_4lw)."""

from __future__ import annotations

from probe.protocols.named import Named

ZOOKEEPER = Named(
    port=2181,
    verified="ZooKeeper 3.8.0",
    tcp=[
        # The one word that is allowed where the configuration says nothing. The end of the line is for others: a web
        # server would wait for it.
        {"send": r"srvr\n"},
        {
            "expect": ["Zookeeper version: ", "srvr is not executed because it is not in the whitelist"],
            "unhealthy": "This ZooKeeper instance is not currently serving requests",
        },
    ],
    sends="`srvr`",
    healthy="its version, or that the word is not allowed",
    proves="a ZooKeeper server is there; without a quorum it says that it serves nobody, which is `unhealthy`",
    logs="one line, `Processing srvr command from …`",
    programs="QuorumPeerMain ZooKeeperServerMain",
    tell=lambda said, _: said.partition(b"\n")[0].decode("latin-1").partition(",")[0],
)
