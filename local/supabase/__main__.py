"""The program of the gateway part."""

import asyncio
import signal

from local.served import inherited_socket
from local.supabase.gateway import Gateway
from local.supabase.heads import LIMIT
from local.supabase.settings import Settings


async def _main() -> None:
    gateway, stop = Gateway(Settings.from_environment()), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.start_server(gateway.serve, sock=inherited_socket(), limit=LIMIT)
    await stop.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(_main())
