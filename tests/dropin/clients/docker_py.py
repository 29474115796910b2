"""What docker-py is asked to do; the image `services` is there."""

import io
import tarfile
import time

import docker

client = docker.from_env()
assert client.ping()


def until(what, ask):
    for _ in range(600):
        answer = ask()
        if answer is not None:
            return answer
        time.sleep(0.1)
    raise SystemExit(f"waited in vain for {what}")


def inside(container, *command, **options):
    code, output = container.exec_run(list(command), **options)
    return output.decode().strip() if code == 0 else None


# A Redis in the default network. Its clients have its address, or share its network namespace.
redis = client.containers.run("services", ["redis-server", "--save", "", "--protected-mode", "no"], detach=True)
until("redis", lambda: inside(redis, "redis-cli", "ping"))
redis.reload()
address = redis.attrs["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
clients = [
    client.containers.run(
        "services",
        ["sh", "-c", "for i in $(seq 50); do redis-cli -h $HOST incr hits; done"],
        detach=True,
        environment={"HOST": host},
        network_mode=mode,
    )
    for host, mode in [(address, "bridge"), ("127.0.0.1", f"container:{redis.id}")] * 2
]
for one in clients:
    assert one.wait()["StatusCode"] == 0, one.logs()
    assert len(one.logs().split()) == 50
    one.remove()
print("redis", inside(redis, "redis-cli", "get", "hits"))
statistics = redis.stats(stream=False)
assert statistics["networks"]["eth0"]["rx_bytes"] > 2000, statistics
redis.remove(force=True)

# A PostgreSQL on a volume, which outlives it.
settings = {"PGDATA": "/var/lib/postgresql/pg", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "shop"}
volumes = {"shop-data": {"bind": "/var/lib/postgresql", "mode": "rw"}}


def start():
    return client.containers.run(
        "services", "postgres-entry", detach=True, name="postgres", environment=settings, volumes=volumes)


def sql(text):
    command = ["psql", "-h", "127.0.0.1", "-U", "postgres", "-Atc", text, "shop"]
    return inside(postgres, *command, environment={"PGPASSWORD": "secret"})


postgres = start()
until("postgres", lambda: sql("select 1"))
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    rows = "".join(f"{n}\n" for n in range(1, 1001)).encode()
    entry = tarfile.TarInfo("rows")
    entry.size, entry.mode = len(rows), 0o644
    tar.addfile(entry, io.BytesIO(rows))
assert postgres.put_archive("/tmp", archive.getvalue())
assert sql("create table t (n int)") == "CREATE TABLE"
assert sql("copy t from '/tmp/rows'") == "COPY 1000"
print("postgres", sql("select sum(n) from t"))
postgres.restart(timeout=20)
assert until("postgres again", lambda: sql("select sum(n) from t")) == "500500"
postgres.stop(timeout=20)
assert postgres.wait()["StatusCode"] == 0
postgres.remove()
postgres = start()
print("restarted", until("postgres anew", lambda: sql("select sum(n) from t")))
postgres.remove(force=True)
client.volumes.get("shop-data").remove()
client.close()
