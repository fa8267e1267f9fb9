"""What stands between a robot and its LiveKit server in some networks: a TLS front with a certificate of a private
authority, or a proxy that understands CONNECT alone.

    front.py tls CERTIFICATE KEY TARGET_PORT
    front.py connect [USER:PASSWORD]

Says its port in the first line, and in further ones what it was asked for. Ends with its standard input.
"""

import asyncio
import base64
import ssl
import sys


def say(*words: object) -> None:
    print(*words, flush=True)


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except (OSError, ssl.SSLError):
        pass  # either side may go away at any time
    finally:
        writer.close()


async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int) -> None:
    far_reader, far_writer = await asyncio.open_connection(host, port)
    await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))


async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, login: str | None) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    request, *headers = head.splitlines()
    say(request)
    wanted = "Proxy-Authorization: Basic " + base64.b64encode((login or "").encode()).decode()
    if login is not None and wanted not in headers:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    elif not request.startswith("CONNECT "):
        writer.write(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
    else:
        host, port = request.split()[1].rsplit(":", 1)
        writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        await join(reader, writer, host, int(port))
        return
    await writer.drain()
    writer.close()


async def main(kind: str, *rest: str) -> None:
    context = None
    if kind == "tls":
        certificate, key, target = rest
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if kind == "tls":
                await join(reader, writer, "127.0.0.1", int(target))
            else:
                await connect(reader, writer, rest[0] if rest else None)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    say(server.sockets[0].getsockname()[1])
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main(*sys.argv[1:]))
