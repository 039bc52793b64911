"""Runs livekit-plugins-liveavatar 1.8.9 in an agent session against the command sockets of the mock.

Only the LiveKit room is a stand-in: the agent session, its audio output and the plugin's socket are the published code.
"""

import asyncio
import logging
import os
import sys
from types import SimpleNamespace

import aiohttp
from livekit import rtc
from livekit.agents import Agent, AgentSession, APIConnectionError
from livekit.plugins.liveavatar import AvatarSession
from mock_control import MockControl, tone, wait_for

API_KEY = os.environ["LIVEAVATAR_API_KEY"]
SANDBOX_AVATAR = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a"
LIVEKIT = {"livekit_url": "wss://room.example.com", "livekit_api_key": "key", "livekit_api_secret": "s" * 32}


class Room(rtc.EventEmitter):
    """A connected room that the avatar never joins."""

    name = "room"
    local_participant = SimpleNamespace(identity="agent")
    remote_participants = {}

    def isconnected(self):
        return True


def split(pcm, step=960):
    for part in (pcm[start : start + step] for start in range(0, len(pcm), step)):
        yield rtc.AudioFrame(part, sample_rate=24_000, num_channels=1, samples_per_channel=len(part) // 2)


class Conversation:
    """An agent session whose audio goes to an avatar."""

    def __init__(self, mock, http, room=None, livekit=LIVEKIT, **options):
        self._room, self._livekit = room or Room(), livekit
        self.agent = AgentSession()
        self.avatar = AvatarSession(api_url=f"{mock.base}/v1/sessions", avatar_id=SANDBOX_AVATAR, **options)
        # In a worker, the plugin takes this from the context of the job.
        self.avatar._api._session = http

    async def __aenter__(self):
        await self.avatar.start(self.agent, self._room, **self._livekit)
        await self.agent.start(Agent(instructions=""))
        self.session_id = self.avatar._session_id
        return self

    async def __aexit__(self, *_):
        await self.agent.aclose()
        await self.avatar.aclose()

    def say(self, pcm, more=None):
        """Speaks the PCM, and then the result of `more`, which is called once the avatar speaks."""

        async def frames():
            for frame in split(pcm):
                yield frame
            if more:
                await self.wait_until_speaking()
                for frame in split(await more()):
                    yield frame

        return self.agent.say("words", audio=frames())

    async def wait_until_speaking(self):
        async def is_speaking():
            return self.agent.agent_state == "speaking"

        await wait_for("the agent speaks", is_speaking)


async def speak_interrupt_and_end(mock, http):
    first, last = tone(1.2, 1), tone(0.3, 2)
    async with Conversation(mock, http) as conversation:
        await conversation.say(first)
        activity = await mock.wait_for_utterances(conversation.session_id, "finished")
        # 600 ms, then the rest.
        assert activity["utterances"][0]["frames"] == 2, activity
        assert await mock.heard(conversation.session_id) == first
        speech = conversation.say(tone(3, 3))
        await conversation.wait_until_speaking()
        await conversation.agent.interrupt()
        await speech
        assert speech.interrupted
        await conversation.say(last)
        activity = await mock.wait_for_utterances(conversation.session_id, "finished", "interrupted", "finished")
        assert (await mock.heard(conversation.session_id)).endswith(last)
        assert activity["interrupts"] == 1 and activity["rejected_frames"] == 0, activity
        assert activity["early_frames"] == 0 and activity["connections"] == 1, activity
    reason = await mock.wait_for_end(conversation.session_id)
    assert reason == "USER_DISCONNECTED", reason
    print("livekit-plugins-liveavatar: speech, interruption and end on the socket")


async def wait_for_a_slow_socket(slow_mock, http):
    pcm = tone(0.5, 4)
    async with Conversation(slow_mock, http) as conversation:
        speech = conversation.say(pcm)
        # Frames that were sent too early would have arrived by then.
        await asyncio.sleep(0.3)
        await slow_mock.make_ready()
        await speech
        activity = await slow_mock.wait_for_utterances(conversation.session_id, "finished")
        assert activity["early_frames"] == 0, activity
        assert await slow_mock.heard(conversation.session_id) == pcm
    print("livekit-plugins-liveavatar: waits for a slow socket")


async def lose_the_socket(mock, http):
    """The plugin does not reconnect: it stops the session, and its task fails unless the session is in the sandbox."""
    logging.disable(logging.ERROR)
    for fault, is_sandbox, errors in [
        ({"close": 1011}, False, [APIConnectionError]),
        # No error if a command fails before the loss is read.
        ("disconnect", False, [APIConnectionError, type(None)]),
        # Taken for the end of the minute that a sandbox session has.
        ({"close": 1011}, True, [type(None)]),
    ]:
        async with Conversation(mock, http, is_sandbox=is_sandbox) as conversation:

            async def more():
                await mock.fault("agent.speak", fault)
                return tone(1.5, 5)

            conversation.say(tone(0.7, 4), more)
            reason = await mock.wait_for_end(conversation.session_id)
            assert reason == "USER_DISCONNECTED", reason
            (result,) = await asyncio.gather(conversation.avatar._main_atask, return_exceptions=True)
            assert type(result) in errors, repr(result)
            activity = await mock.activity(conversation.session_id)
            assert [it["frames"] for it in activity["utterances"]] == [1], activity
    print("livekit-plugins-liveavatar: stops the session when the socket is lost")


async def end_with_the_session(mock, http):
    """The plugin takes the end of a session for the loss of its socket."""
    async with Conversation(mock, http) as conversation:
        await conversation.say(tone(0.2, 6))
        await mock.expire()
        (result,) = await asyncio.gather(conversation.avatar._main_atask, return_exceptions=True)
        assert type(result) is APIConnectionError, repr(result)
        assert await mock.wait_for_end(conversation.session_id) == "IDLE_TIMEOUT"
    print("livekit-plugins-liveavatar: ends when the service ends the session")


async def main(base, slow_base):
    async with aiohttp.ClientSession() as http:
        mock, slow_mock = (MockControl(url, API_KEY, http) for url in (base, slow_base))
        await speak_interrupt_and_end(mock, http)
        await wait_for_a_slow_socket(slow_mock, http)
        await lose_the_socket(mock, http)
        await end_with_the_session(mock, http)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
