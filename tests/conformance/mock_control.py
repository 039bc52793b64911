"""The control API of the mock, for programs that run other clients against it."""

import asyncio
import io
import time
import wave

# Seconds until the sockets of the slow mock are ready; the programs move its clock instead of waiting.
SOCKET_DELAY = 30
# Seconds without activity after which the service ends a session.
IDLE_TIMEOUT = 300
# Seconds. Far more than any step needs; it only stops one that hangs.
TIMEOUT = 30


class MockControl:
    """What the mock heard from the sessions of a client, and the faults that it injects."""

    def __init__(self, base, api_key, http):
        self.base, self._api_key, self._http = base, api_key, http

    async def activity(self, session_id):
        """Returns what the session's sockets received."""
        return await self._call("GET", f"/_mock/sessions/{session_id}/activity")

    async def room_activity(self, session_id):
        """Returns what the session's room received, and who is in it."""
        return await self._call("GET", f"/_mock/sessions/{session_id}/room")

    async def wait_for_microphone(self, session_id, packets):
        """Waits until the session's room has received this many packets of microphones."""

        async def is_met():
            return (await self.room_activity(session_id))["microphone_packets"] >= packets

        await wait_for(f"{packets} packets of a microphone", is_met)

    async def heard(self, session_id):
        """Returns the PCM that the session's sockets received."""
        async with self._http.get(f"{self.base}/_mock/sessions/{session_id}/audio") as response:
            assert response.status == 200, await response.text()
            with wave.open(io.BytesIO(await response.read())) as file:
                assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24_000, 1, 2)
                return file.readframes(file.getnframes())

    async def fault(self, command, fault):
        """Injects a fault into the next command of this type."""
        await self._call("POST", "/_mock/socket-faults", {"command": command, "fault": fault})

    async def make_ready(self):
        """Moves the clock past the delay of the mock's sockets."""
        await self._advance(SOCKET_DELAY)

    async def expire(self):
        """Moves the clock past the idle timeout of the sessions."""
        await self._advance(IDLE_TIMEOUT)

    async def _advance(self, seconds):
        await self._call("POST", "/_mock/clock", {"seconds": seconds})

    async def start_session(self, configuration):
        """Starts a session and returns its data."""
        token = (await self._call("POST", "/v1/sessions/token", configuration))["data"]["session_token"]
        return (await self._call("POST", "/v1/sessions/start", token=token))["data"]

    async def stop_session(self, session_id):
        await self._call("POST", "/v1/sessions/stop", {"session_id": session_id})

    async def end_reason(self, session_id):
        """Returns why the session ended, or `None` if it is running."""
        session = await self._call("GET", f"/v1/sessions/{session_id}")
        return session["data"].get("end_reason")

    async def wait_for_end(self, session_id):
        """Waits until the session has ended, and returns the reason."""
        return await wait_for("the end of the session", lambda: self.end_reason(session_id))

    async def wait_for_utterances(self, session_id, *ends):
        """Waits until the utterances of the session have ended like this, and returns the activity."""
        return await self._wait_for_activity(session_id, lambda it: [one["end"] for one in it["utterances"]] == list(ends))

    async def wait_for_frames(self, session_id, *frames):
        """Waits until the utterances of the session have these numbers of frames."""
        await self._wait_for_activity(session_id, lambda it: [one["frames"] for one in it["utterances"]] == list(frames))

    async def wait_for_early_frames(self, session_id, frames):
        """Waits until sockets that were not ready have dropped this many frames."""
        await self._wait_for_activity(session_id, lambda it: it["early_frames"] == frames)

    async def _wait_for_activity(self, session_id, condition):
        activity = None

        async def is_met():
            nonlocal activity
            activity = await self.activity(session_id)
            return condition(activity)

        try:
            await wait_for("other activity", is_met)
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {activity}") from None
        return activity

    async def _call(self, method, path, body=None, token=None):
        headers = {"Authorization": f"Bearer {token}"} if token else {"X-API-KEY": self._api_key}
        async with self._http.request(method, self.base + path, json=body, headers=headers) as response:
            # Not the text: it may have a token.
            assert response.ok, f"{method} {path}: {response.status}"
            return None if response.status == 204 else await response.json()


async def wait_for(what, condition):
    """Waits until the result of a function is true, and returns that result."""
    deadline = time.monotonic() + TIMEOUT
    while not (result := await condition()):
        assert time.monotonic() < deadline, f"timed out: {what}"
        await asyncio.sleep(0.02)
    return result


def tone(seconds, seed=0):
    """Returns PCM without silence, which differs for each seed."""
    samples = ((seed * 1000 + index * 7) % 20_000 - 10_000 for index in range(round(seconds * 24_000)))
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
