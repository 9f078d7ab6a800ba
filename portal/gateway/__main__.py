"""``python -m portal.gateway``: a gateway, or as many of its processes as
``DURE_GATEWAY_PROCESSES`` says: one for each core."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource
import sys

import msgspec
import structlog
import uvloop

from portal.gateway import lifespan, many, output, server
from portal.gateway.config import Config, ConfigMissing, environment, from_environment


def _dumps(line: object, **_: object) -> bytes:
    return msgspec.json.encode(line, enc_hook=repr)


def configure_logs() -> None:
    """JSON lines on standard output. Libraries are heard from warnings on, in the same form."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(),  # seconds since 1970: a date costs ten times as much
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(serializer=_dumps)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.BytesLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(),
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


async def serve(config: Config) -> None:
    """Until SIGTERM; then what is open has ``drain_seconds`` to end."""
    stop = asyncio.Event()
    async with lifespan.opened(config) as gateway:
        server.obey_signals(gateway, stop)
        await server.Server(gateway).serve(stop)


def allow_files() -> None:
    """As many open files as the system lets this program have: a stream takes two, and the usual
    limit of a shell is 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> int:
    """Exit code 2 if the environment is incomplete."""
    lines = output.take_over()
    try:
        return _run()
    finally:
        lines.end()


def _run() -> int:
    configure_logs()
    allow_files()
    try:
        config = from_environment(environment())
    except ConfigMissing as missing:
        print(missing, file=sys.stderr)  # noqa: T201
        return 2
    if config.processes > 1:
        asyncio.run(many.run(config.processes, config.gateway_id))
        return 0
    gc.freeze()  # modules live as long as the process: the collector need not look at them
    gc.set_threshold(10_000, 20, 20)
    try:
        uvloop.run(serve(config))
    except OSError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the folder of the journal, or the port
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
