"""A service that takes a while over each call of an upload and does nothing else: what is measured then is the client,
and not how many calls the local Gemini can answer on the same machine.

    python -m benchmarks.slow_service SECONDS      prints its address
"""

import asyncio
import json
import sys

FILE = {"name": "files/a", "uri": "https://a/files/a", "mimeType": "image/jpeg", "sizeBytes": "1", "state": "ACTIVE"}


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = head.partition("\r\ncontent-length: ")[2].partition("\r\n")[0]
            await reader.readexactly(int(length or 0))
            await asyncio.sleep(seconds)
            is_start = "x-goog-upload-command: start" in head
            body = b"{}" if is_start else json.dumps({"file": FILE}).encode()
            more = "X-Goog-Upload-URL: http://here/upload/x" if is_start else "X-Goog-Upload-Status: final"
            said = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(said.encode() + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(seconds: float) -> None:
    server = await asyncio.start_server(lambda reader, writer: answer(reader, writer, seconds), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
