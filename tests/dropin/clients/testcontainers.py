"""A test as people write it with testcontainers; the image `services` is there."""

import threading

import pg8000.native
from testcontainers.community.postgres import PostgresContainer
from testcontainers.community.redis import RedisContainer

database = PostgresContainer("services", username="postgres", password="secret", dbname="shop", driver=None)
with database.with_command("postgres-entry") as postgres:
    connection = pg8000.native.Connection(
        "postgres",
        host=postgres.get_container_host_ip(),
        port=int(postgres.get_exposed_port(5432)),
        database="shop",
        password="secret",
    )
    connection.run("create table t (n int)")
    connection.run("start transaction")
    for n in range(1, 1001):
        connection.run("insert into t values (:n)", n=n)
    connection.run("commit")
    print("postgres", connection.run("select sum(n) from t")[0][0])
    connection.close()
    code, output = postgres.exec(["sh", "-c", "PGPASSWORD=secret psql -h 127.0.0.1 -U postgres -Atc 'select count(*) from t' shop"])
    assert (code, output) == (0, b"1000\n"), output

with RedisContainer("services").with_command("redis-server --protected-mode no --save ''") as redis:
    def hit():
        client = redis.get_client()
        for _ in range(250):
            client.incr("hits")

    clients = [threading.Thread(target=hit) for _ in range(4)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    print("redis", redis.get_client().get("hits").decode())
    stdout, stderr = redis.get_logs()
    assert b"Ready to accept connections" in stdout, (stdout, stderr)
