"""psycopg 3, asyncpg, SQLAlchemy 2, Alembic and Django. Prints a line per check of the client that is the argument."""

import asyncio
import os
import sys
import tempfile
import textwrap
import threading
from importlib.metadata import version
from pathlib import Path

URL = os.environ["DATABASE_URL"]
CLIENT = sys.argv[1]
PACKAGES = {"psycopg 3": "psycopg", "asyncpg": "asyncpg", "SQLAlchemy 2": "sqlalchemy", "Alembic": "alembic", "Django": "django"}


def report(name, error=None):
    result = "ok" if error is None else (str(error) or repr(error)).splitlines()[0]
    print(CLIENT, version(PACKAGES[CLIENT]), name, result, sep="\t", flush=True)


def check(name, work):
    try:
        result = work()
        report(name)
        return result
    except Exception as error:
        report(name, error)


def same(got, wanted):
    assert got == wanted, f"got {got} instead of {wanted}"


def fails(work, wanted):
    try:
        work()
    except Exception as error:
        assert wanted in str(error), f"{error} instead of {wanted}"
    else:
        raise AssertionError(f"no error instead of {wanted}")


def cancelled(work, cancel):
    timer = threading.Timer(0.5, cancel)
    timer.start()
    fails(work, "canceling statement")
    timer.join()


def psycopg():
    import psycopg

    connection = check("connect", lambda: psycopg.connect(URL + "?max_protocol_version=latest", autocommit=True))
    check("query", lambda: same(connection.execute("SELECT 41 + %s", [1]).fetchone(), (42,)))

    def prepared():
        for n in (1, 2, 3):
            same(connection.execute("SELECT %s::int + 1", [n], prepare=True).fetchone(), (n + 1,))
        with connection.pipeline():
            same(connection.execute("SELECT 1").fetchone(), (1,))

    def transaction():
        with connection.transaction(force_rollback=True):
            connection.execute("CREATE TABLE undone (n int)")
        same(connection.execute("SELECT to_regclass('undone')").fetchone(), (None,))

    check("prepared statement", prepared)
    check("transaction", transaction)
    check("cancel", lambda: cancelled(lambda: connection.execute("SELECT pg_sleep(30)"), connection.cancel_safe))


def asyncpg():
    asyncio.run(asyncpg_checks())


async def asyncpg_checks():
    import asyncpg

    async def check_async(name, work):
        try:
            await work
            report(name)
        except Exception as error:
            report(name, error)

    connection = await asyncpg.connect(URL)
    report("connect")

    async def query():
        same(await connection.fetchval("SELECT 41 + $1::int", 1), 42)

    async def prepared():
        statement = await connection.prepare("SELECT $1::int + 1")
        for n in (1, 2, 3):
            same(await statement.fetchval(n), n + 1)

    async def transaction():
        undone = connection.transaction()
        await undone.start()
        await connection.execute("CREATE TABLE undone (n int)")
        await undone.rollback()
        same(await connection.fetchval("SELECT to_regclass('undone')"), None)

    async def cancel():
        other = await asyncpg.connect(URL)
        running = asyncio.create_task(connection.fetch("SELECT pg_sleep(30)"))
        await asyncio.sleep(0.5)
        same(await other.fetchval("SELECT pg_cancel_backend($1)", connection.get_server_pid()), True)
        try:
            await running
        except asyncpg.QueryCanceledError:
            pass
        await other.close()

    for name, work in (("query", query), ("prepared statement", prepared), ("transaction", transaction), ("cancel", cancel)):
        await check_async(name, work())
    await connection.close()


def sqlalchemy():
    from sqlalchemy import create_engine, func, select, text

    engine = create_engine(URL.replace("postgres://", "postgresql+psycopg://"), pool_size=2, max_overflow=0)
    connection = check("connect", engine.connect)
    check("query", lambda: same(connection.scalar(text("SELECT 41 + :n"), {"n": 1}), 42))

    def prepared():
        # psycopg prepares a statement by itself when it has run five times.
        for n in range(8):
            same(connection.scalar(text("SELECT CAST(:n AS int) + 1"), {"n": n}), n + 1)

    def transaction():
        connection.rollback()
        connection.execute(text("CREATE TABLE undone (n int)"))
        connection.rollback()
        same(connection.scalar(text("SELECT to_regclass('undone')")), None)

    def cancel():
        pid = connection.scalar(select(func.pg_backend_pid()))
        connection.commit()

        def stop():
            with engine.connect() as other:
                other.execution_options(isolation_level="AUTOCOMMIT")
                other.scalar(select(func.pg_cancel_backend(pid)))

        cancelled(lambda: connection.scalar(text("SELECT pg_sleep(30)")), stop)
        connection.rollback()

    check("prepared statement", prepared)
    check("transaction", transaction)
    check("cancel", cancel)


def alembic():
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine, text

    url = URL.replace("postgres://", "postgresql+psycopg://")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "versions").mkdir()
        Path(folder, "env.py").write_text(
            textwrap.dedent(
                """
                from alembic import context
                from sqlalchemy import create_engine, pool
                url = context.config.get_main_option("sqlalchemy.url")
                with create_engine(url, poolclass=pool.NullPool).connect() as connection:
                    context.configure(connection=connection)
                    with context.begin_transaction():
                        context.run_migrations()
                """
            )
        )
        Path(folder, "versions", "one.py").write_text(
            textwrap.dedent(
                """
                import sqlalchemy as sa
                from alembic import op
                revision, down_revision = "one", None
                def upgrade():
                    op.create_table("notes", sa.Column("id", sa.Integer, primary_key=True), sa.Column("body", sa.Text))
                    op.execute("ALTER TABLE notes ADD embedding vector(3)")
                def downgrade():
                    op.drop_table("notes")
                """
            )
        )
        config = Config()
        config.set_main_option("script_location", folder)
        config.set_main_option("sqlalchemy.url", url)
        engine = create_engine(url)

        def migrate():
            command.upgrade(config, "head")
            command.upgrade(config, "head")
            command.downgrade(config, "base")
            command.upgrade(config, "head")
            with engine.connect() as connection:
                same(connection.scalar(text("SELECT count(*) FROM notes")), 0)

        check("migrate", migrate)


def django():
    import django
    from django.conf import settings
    from urllib.parse import urlsplit

    url = urlsplit(URL)
    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.path[1:],
                "USER": url.username,
                "PASSWORD": url.password,
                "HOST": url.hostname,
                "PORT": url.port,
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    )
    django.setup()
    from django.core.management import call_command

    def migrate():
        for _ in range(2):
            call_command("migrate", verbosity=0)
        from django.contrib.auth.models import User

        User.objects.create_user("somebody", password="secret")
        same(User.objects.count(), 1)
        call_command("migrate", "auth", "zero", verbosity=0)
        call_command("migrate", verbosity=0)

    check("migrate", migrate)


{"psycopg 3": psycopg, "asyncpg": asyncpg, "SQLAlchemy 2": sqlalchemy, "Alembic": alembic, "Django": django}[CLIENT]()
