"""Lets Python clients join the rooms of the mock: livekit, an agent session with livekit-plugins-liveavatar, and pipecat-ai.

Usage: python rooms.py URL, with the URL of a mock with rooms.
"""

import asyncio
import json
import logging
import os
import sys
import uuid
import warnings
from contextlib import aclosing

import aiohttp
import livekit_socket
import numpy
import pipecat_socket
from jwt import InsecureKeyLengthWarning
from livekit import api, rtc
from mock_control import MockControl, tone, wait_for
from pipecat.frames.frames import (
    OutputImageRawFrame,
    OutputTransportReadyFrame,
    SpeechOutputAudioRawFrame,
    UserStartedSpeakingFrame,
)
from pipecat.processors.frame_processor import FrameProcessor

API_KEY = os.environ["LIVEAVATAR_API_KEY"]
# Opens any room of the mock, as in `livekit-server --dev`.
ROOM_KEY, ROOM_SECRET = "devkey", "secret"
# The key is as short as the one of `livekit-server --dev`, and the plugin warns that avatars cannot pause.
warnings.filterwarnings("ignore", category=InsecureKeyLengthWarning)
logging.getLogger("livekit.agents").setLevel(logging.ERROR)
AVATAR = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a"
TEXT = "one two three four five six seven eight"
# Of full scale. Decoders add some noise to silence, and fade out.
SILENCE, AUDIBLE = 0.005, 0.02


def loudness(pcm):
    """Returns the root mean square of 16-bit samples; full scale is 1."""
    samples = numpy.frombuffer(pcm, dtype=numpy.int16) / 32768
    return float(numpy.sqrt(numpy.mean(samples**2))) if len(samples) else 0.0


class Guest:
    """A participant that records what it sees and hears of the avatar."""

    def __init__(self, avatar="heygen"):
        self.room = rtc.Room()
        self._avatar = avatar
        self.events, self.topics, self.sizes = [], set(), set()
        self.video_frames, self.audio = 0, bytearray()
        self.disconnected = asyncio.get_running_loop().create_future()
        self._tasks = []
        self.room.on("data_received", self._receive)
        self.room.on("track_subscribed", self._subscribe)
        self.room.on("disconnected", lambda reason: self.disconnected.done() or self.disconnected.set_result(reason))

    def _receive(self, packet):
        self.topics.add(packet.topic)
        self.events.append(json.loads(packet.data))

    def _subscribe(self, track, _publication, participant):
        if participant.identity == self._avatar:
            record = self._hear if track.kind == rtc.TrackKind.KIND_AUDIO else self._see
            self._tasks.append(asyncio.create_task(record(track)))

    async def _hear(self, track):
        async with aclosing(rtc.AudioStream(track, sample_rate=48_000, num_channels=1)) as stream:
            async for event in stream:
                self.audio += bytes(event.frame.data)

    async def _see(self, track):
        async with aclosing(rtc.VideoStream(track)) as stream:
            async for event in stream:
                self.video_frames += 1
                self.sizes.add((event.frame.width, event.frame.height))

    async def wait_for_media(self):
        async def has_media():
            return self.video_frames and self.audio

        await wait_for("picture and sound", has_media)

    async def loudness(self, seconds):
        """Returns the loudness of what it hears during this time."""
        start = len(self.audio)
        await asyncio.sleep(seconds)
        return loudness(bytes(self.audio[start:]))

    async def wait_for_silence(self):
        """Waits until it has played what it has buffered, which is the longer the slower the machine is."""

        async def is_silent():
            return await self.loudness(0.2) < SILENCE

        await asyncio.wait_for(wait_for("silence after an interrupt", is_silent), 5)

    async def command(self, event_type, **fields):
        event_id = str(uuid.uuid4())
        data = json.dumps({"event_type": event_type, "event_id": event_id, **fields})
        await self.room.local_participant.publish_data(data, reliable=True, topic="agent-control")
        return event_id

    async def wait(self, event_type, skipped=0):
        async def find():
            return next((event for event in self.events[skipped:] if event["event_type"] == event_type), None)

        return await wait_for(event_type, find)

    async def publish_tone(self, seconds):
        """Publishes a microphone and speaks into it."""
        source = rtc.AudioSource(24_000, 1)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self.room.local_participant.publish_track(track, options)
        pcm, step = tone(seconds), 480
        for part in (pcm[start : start + step] for start in range(0, len(pcm), step)):
            await source.capture_frame(rtc.AudioFrame(part, 24_000, 1, len(part) // 2))

    async def close(self):
        await self.room.disconnect()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def join_with_livekit(mock, single_peer_connection):
    configuration = {"mode": "FULL", "avatar_id": AVATAR, "avatar_persona": {"language": "en"}}
    session = await mock.start_session(configuration)
    guest = Guest()
    options = rtc.RoomOptions(single_peer_connection=single_peer_connection)
    await guest.room.connect(session["livekit_url"], session["livekit_client_token"], options)
    await guest.wait_for_media()
    frames = guest.video_frames
    idle = await guest.loudness(1)
    assert idle < SILENCE, f"the avatar is audible before it speaks: {idle}"
    # 15 a second or more; the machine may be slow.
    assert guest.video_frames - frames >= 8, guest.video_frames - frames
    (size,) = guest.sizes
    assert min(size) > 0, size

    command = await guest.command("avatar.speak_text", text=TEXT)
    started = await guest.wait("avatar.speak_started")
    speaking = await guest.loudness(1)
    assert speaking > AUDIBLE, f"the avatar is silent while it speaks: {speaking}"
    transcription = await guest.wait("avatar.transcription")
    ended = await guest.wait("avatar.speak_ended")
    assert {it["source_event_id"] for it in (started, transcription, ended)} == {command}, guest.events
    assert transcription["text"] == TEXT, transcription

    skipped = len(guest.events)
    await guest.command("avatar.speak_text", text="word " * 100)
    await guest.wait("avatar.speak_started", skipped)
    await guest.command("avatar.interrupt")
    await guest.wait("avatar.speak_ended", skipped)
    await guest.wait_for_silence()

    await guest.publish_tone(2)
    await guest.wait("user.speak_started")
    # Packets of 20 ms. The last ones may be on their way.
    await mock.wait_for_microphone(session["session_id"], 90)
    activity = await mock.room_activity(session["session_id"])
    assert activity["commands"] == ["avatar.speak_text", "avatar.speak_text", "avatar.interrupt"], activity
    identities = ["heygen", *(f"liveavatar-{kind}-{session['session_id']}" for kind in ("agent", "client"))]
    assert sorted(activity["participants"]) == identities, activity
    assert guest.topics == {"agent-response"}, guest.topics
    await mock.stop_session(session["session_id"])
    reason = await asyncio.wait_for(guest.disconnected, 10)
    assert reason == rtc.DisconnectReason.ROOM_DELETED, reason
    await guest.close()
    kind = "one peer connection" if single_peer_connection else "two peer connections"
    print(f"livekit, {kind}: sees and hears the avatar, is heard, interrupts, and sees the end")


async def join_with_livekit_plugin(mock, http):
    """The agent's own room, in which the avatar speaks on its behalf."""
    url, name = mock.base.replace("http", "ws", 1), "conformance"
    livekit = {"livekit_url": url, "livekit_api_key": ROOM_KEY, "livekit_api_secret": ROOM_SECRET}
    grants = api.VideoGrants(room_join=True, room=name)
    token = api.AccessToken(ROOM_KEY, ROOM_SECRET).with_identity("agent").with_grants(grants).to_jwt()
    guest = Guest("liveavatar-avatar-agent")
    await guest.room.connect(url, token)
    async with livekit_socket.Conversation(mock, http, guest.room, livekit) as conversation:
        await conversation.avatar.wait_for_join()
        await guest.wait_for_media()
        speech = conversation.say(tone(1.5, 1))
        await conversation.wait_until_speaking()
        speaking = await guest.loudness(1)
        assert speaking > AUDIBLE, f"the avatar is silent while it speaks: {speaking}"
        await speech
        speech = conversation.say(tone(10, 2))
        await conversation.wait_until_speaking()
        await conversation.agent.interrupt()
        await speech
        await guest.wait_for_silence()
        await mock.wait_for_utterances(conversation.session_id, "finished", "interrupted")
    assert await mock.wait_for_end(conversation.session_id) == "USER_DISCONNECTED"
    await guest.close()
    print("livekit-plugins-liveavatar: sees and hears the avatar in its own room, and interrupts it")


class Screen(FrameProcessor):
    """Records the frames that the avatar sends into the pipeline."""

    def __init__(self):
        super().__init__()
        self.images, self.audio = 0, bytearray()

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputImageRawFrame):
            self.images += 1
        elif isinstance(frame, SpeechOutputAudioRawFrame):
            self.audio += frame.audio
        await self.push_frame(frame, direction)


async def join_with_pipecat(mock, http):
    screen = Screen()
    async with pipecat_socket.video_service(mock, http, screen) as run:
        await run.queue(OutputTransportReadyFrame())

        async def has_media():
            return screen.images and screen.audio

        await wait_for("picture and sound", has_media)
        activity = await mock.room_activity(run.session_id)
        assert sorted(activity["participants"]) == ["heygen", f"liveavatar-client-{run.session_id}"], activity
        # In LITE mode, the avatar plays the audio that the socket received.
        start = len(screen.audio)
        await run.say(tone(1))
        await mock.wait_for_utterances(run.session_id, "finished")
        heard = loudness(bytes(screen.audio[start:]))
        assert heard > AUDIBLE, f"the avatar is silent while it speaks: {heard}"

        images, start = screen.images, len(screen.audio)
        await run.say(tone(10), is_complete=False)

        async def is_heard():
            return loudness(bytes(screen.audio[start:])) > AUDIBLE

        await wait_for("the second utterance", is_heard)
        await run.queue(UserStartedSpeakingFrame())
        await mock.wait_for_utterances(run.session_id, "finished", "interrupted")

        async def is_silent():
            start = len(screen.audio)
            await asyncio.sleep(0.2)
            return len(screen.audio) > start and loudness(bytes(screen.audio[start:])) < SILENCE

        # The rest of the utterance would take much longer.
        await asyncio.wait_for(wait_for("silence after an interrupt", is_silent), 5)
        assert screen.images > images
    reason = await mock.wait_for_end(run.session_id)
    assert reason == pipecat_socket.STOPPED, reason
    print("pipecat-ai, video service: sees and hears the avatar that plays the audio of the socket, and interrupts it")


async def main(base):
    async with aiohttp.ClientSession() as http:
        mock = MockControl(base, API_KEY, http)
        await join_with_livekit(mock, single_peer_connection=False)
        await join_with_livekit(mock, single_peer_connection=True)
        await join_with_livekit_plugin(mock, http)
        await join_with_pipecat(mock, http)


asyncio.run(main(sys.argv[1]))
