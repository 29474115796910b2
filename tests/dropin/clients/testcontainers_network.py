"""A test as people write it with testcontainers: a network of its own, where containers know each other by their aliases."""

from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy


def sleeper():
    return DockerContainer("services").with_command("sleep 1000")


with Network() as network:
    store = DockerContainer("services").with_command("redis-server --protected-mode no --save ''")
    store.with_network(network).with_network_aliases("cache", "store")
    store.waiting_for(LogMessageWaitStrategy("Ready to accept connections"))
    with store, sleeper().with_network(network) as visitor, sleeper() as stranger:
        own = store.get_wrapped_container().name
        for name in ("cache", "store", own):
            code, output = visitor.exec(["redis-cli", "-h", name, "incr", "hits"])
            assert code == 0, output
        print("hits", output.decode().strip())
        code, output = stranger.exec(["redis-cli", "-h", "cache", "ping"])
        assert code != 0, output
        # A container that runs is taken in.
        network.connect(stranger.get_wrapped_container().id, network_aliases=["late"])
        code, output = stranger.exec(["redis-cli", "-h", "cache", "ping"])
        print(output.decode().strip())
        code, output = visitor.exec(["ping", "-c", "1", "late"])
        assert code == 0, output
