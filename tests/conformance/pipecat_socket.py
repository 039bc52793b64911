"""Runs pipecat-ai 1.14.0 in a pipeline against the command sockets of the mock: its transport and its video service.

Only the LiveKit room is a stand-in: the pipeline, its processors and their socket are the published code.
"""

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from types import SimpleNamespace

import aiohttp
from loguru import logger
from mock_control import MockControl, tone, wait_for
from pipecat.frames.frames import (
    EndFrame,
    InterruptionFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
    UserStartedSpeakingFrame,
    UserStoppedSpeakingFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.services.heygen import client as heygen
from pipecat.services.heygen.api_liveavatar import LiveAvatarApi, LiveAvatarNewSessionRequest
from pipecat.services.heygen.video import HeyGenVideoService
from pipecat.transports.heygen.transport import HeyGenTransport
from pipecat.workers.runner import WorkerRunner

API_KEY = os.environ["LIVEAVATAR_API_KEY"]
SANDBOX_AVATAR = "dd73ea75-1218-4ef3-92ce-606d5f7fbc0a"
# The reason of a stop request that gives none.
STOPPED = "UNKNOWN"


class Room:
    """A room that nobody joins."""

    name = "room"
    local_participant = SimpleNamespace(sid="PA_1")
    remote_participants = {}

    def on(self, _event):
        return lambda handler: handler

    async def connect(self, _url, _token):
        pass

    async def disconnect(self):
        pass


class Run:
    """A running pipeline with an avatar."""

    def __init__(self, worker, client):
        self.worker, self.client = worker, client
        self.session_id = client._heyGen_session.session_id

    async def queue(self, *frames):
        await self.worker.queue_frames(frames)

    async def say(self, pcm, is_complete=True):
        await self.queue(TTSStartedFrame(), TTSAudioRawFrame(pcm, sample_rate=24_000, num_channels=1))
        if is_complete:
            await self.queue(TTSStoppedFrame())


@asynccontextmanager
async def running(mock, processors, client_of):
    """Runs the processors in a pipeline, and ends it with a frame."""
    LiveAvatarApi.BASE_URL = f"{mock.base}/v1"
    worker = PipelineWorker(Pipeline(processors), params=PipelineParams(audio_out_sample_rate=24_000))
    started = asyncio.Event()

    @worker.event_handler("on_pipeline_started")
    async def on_started(_worker, _frame):
        started.set()

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    task = asyncio.create_task(runner.run())
    await started.wait()
    try:
        yield Run(worker, client_of())
    finally:
        await worker.queue_frame(EndFrame())
        await task


def arguments(http):
    request = LiveAvatarNewSessionRequest(avatar_id=SANDBOX_AVATAR)
    return {"api_key": API_KEY, "session": http, "service_type": heygen.ServiceType.LIVE_AVATAR, "session_request": request}


def transport(mock, http):
    it = HeyGenTransport(**arguments(http))
    return running(mock, [it.input(), it.output()], lambda: it._client)


def video_service(mock, http, *following):
    it = HeyGenVideoService(**arguments(http))
    return running(mock, [it, *following], lambda: it._client)


async def speak_interrupt_and_end_with_the_transport(mock, http):
    async with transport(mock, http) as run:
        pcm = tone(0.4, 1)
        await run.say(pcm)
        activity = await mock.wait_for_utterances(run.session_id, "finished")
        # The transport sends what it plays: frames of 40 ms.
        assert activity["utterances"][0]["frames"] == 10, activity
        assert await mock.heard(run.session_id) == pcm
        await run.say(tone(1, 2), is_complete=False)
        # A frame that is sent at the same time as the interruption would open another utterance.
        await mock.wait_for_frames(run.session_id, 10, 25)
        await run.queue(InterruptionFrame())
        # A fault of version 1.14.0: on an interruption, the base class reports the end of the speech first. The transport then sends
        # `agent.speak_end`, forgets the id of the utterance, and sends no `agent.interrupt`, so the avatar speaks to the end.
        activity = await mock.wait_for_utterances(run.session_id, "finished", "finished")
        assert activity["interrupts"] == 0 and activity["rejected_frames"] == 0, activity
    assert await mock.wait_for_end(run.session_id) == STOPPED
    print("pipecat-ai, transport: speech and end on the socket; it does not send interruptions")


async def speak_interrupt_and_end_with_the_video_service(mock, http):
    first, last = tone(0.9, 3), tone(0.2, 4)
    async with video_service(mock, http) as run:
        await run.say(first)
        activity = await mock.wait_for_utterances(run.session_id, "finished")
        # 400 ms, then the rest.
        assert activity["utterances"][0]["frames"] == 2, activity
        assert await mock.heard(run.session_id) == first
        await run.say(tone(3.4, 5), is_complete=False)
        # A frame that is sent at the same time as the interrupt would open another utterance.
        await mock.wait_for_frames(run.session_id, 2, 4)
        await run.queue(UserStartedSpeakingFrame())
        await mock.wait_for_utterances(run.session_id, "finished", "interrupted")
        # Between utterances, its interrupt has the id `null`.
        await run.queue(UserStoppedSpeakingFrame(), UserStartedSpeakingFrame(), UserStoppedSpeakingFrame())
        await run.say(last)
        activity = await mock.wait_for_utterances(run.session_id, "finished", "interrupted", "finished")
        assert (await mock.heard(run.session_id)).endswith(last)
        assert activity["interrupts"] == 2 and activity["rejected_frames"] == 0, activity
        assert activity["early_frames"] == 0 and activity["connections"] == 1, activity
    assert await mock.wait_for_end(run.session_id) == STOPPED
    print("pipecat-ai, video service: speech, interruption and end on the socket")


async def speak_on_a_socket_that_is_not_ready(slow_mock, http):
    """Version 1.14.0 does not wait for the state `connected`, so the service drops its first words."""
    async with video_service(slow_mock, http) as run:
        await run.say(tone(0.4, 6))
        await slow_mock.wait_for_early_frames(run.session_id, 2)
        await slow_mock.make_ready()
        pcm = tone(0.4, 7)
        await run.say(pcm)
        await slow_mock.wait_for_utterances(run.session_id, "finished")
        assert await slow_mock.heard(run.session_id) == pcm
    print("pipecat-ai, video service: does not wait for a slow socket")


async def wait_for_the_loss(run):
    async def is_lost():
        return not run.client._connected

    await wait_for("the loss of the socket", is_lost)


async def lose_the_socket(mock, http):
    """Version 1.14.0 neither reconnects nor reports the loss to the pipeline; it stops the session at the end."""
    logger.disable("pipecat")
    for fault in [{"close": 1011}, "disconnect"]:
        async with video_service(mock, http) as run:
            await mock.fault("agent.speak_end", fault)
            await run.say(tone(1, 8))
            await wait_for_the_loss(run)
            await run.say(tone(0.4, 9))
            await run.client.interrupt(None)
            activity = await mock.activity(run.session_id)
            assert (activity["connections"], activity["interrupts"], len(activity["utterances"])) == (1, 0, 1), activity
            assert await mock.end_reason(run.session_id) is None
        assert await mock.wait_for_end(run.session_id) == STOPPED
    print("pipecat-ai, video service: continues without a socket when it is lost")


async def end_with_the_session(mock, http):
    """The pipeline goes on without a socket; its own stop at the end finds the session ended, which it only logs."""
    async with video_service(mock, http) as run:
        await run.say(tone(0.2, 10))
        await mock.wait_for_utterances(run.session_id, "finished")
        await mock.expire()
        await wait_for_the_loss(run)
    assert await mock.wait_for_end(run.session_id) == "IDLE_TIMEOUT"
    print("pipecat-ai, video service: notices that the service ends the session")


async def main(base, slow_base):
    heygen.rtc.Room = Room
    async with aiohttp.ClientSession() as http:
        mock, slow_mock = (MockControl(url, API_KEY, http) for url in (base, slow_base))
        await speak_interrupt_and_end_with_the_transport(mock, http)
        await speak_interrupt_and_end_with_the_video_service(mock, http)
        await speak_on_a_socket_that_is_not_ready(slow_mock, http)
        await lose_the_socket(mock, http)
        await end_with_the_session(mock, http)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
