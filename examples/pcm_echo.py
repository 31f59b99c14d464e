"""An application behind the gateway, protocol pcm: says back what the caller said, and ends the call on #."""

import asyncio
import json
import sys

import websockets


async def call(ws, _path=None):
    start = json.loads(await ws.recv())
    print("call", start["callId"], "from", start["from"], flush=True)
    async for message in ws:
        if isinstance(message, bytes):
            await ws.send(message)  # PCM16 at start["sampleRate"], back to the caller
            continue
        event = json.loads(message)
        if event["event"] == "dtmf" and event["digit"] == "#":
            await ws.send(json.dumps({"event": "end"}))  # plays out, then hangs up


async def main():
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8765
    async with websockets.serve(call, "127.0.0.1", port):
        print("listening", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
