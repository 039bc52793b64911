//! The table of scripts.
//!
//! The server's words: `ready`, `state S`, `until COMMAND` (reads up to it), `wait MS` (reads meanwhile), `sleep MS` (does
//! not), `started|ended|cut|error|starved HOW WHOSE`, `raw TEXT`, `ping`, `binary`, `flood N`, `drop`, `close CODE`. HOW an
//! event tells its utterance: `id`, `source`, `task`, `none`, `made` (an id that nobody knows), `within` (in the error).
//! When the words are over it reads on. The caller's audio: milliseconds that are there at once, `live MS`, `pause MS`.

use super::script::Script;

const fn script(name: &'static str, server: &'static [&'static str], caller: &'static str) -> Script {
    Script { name, server, caller }
}

/// How much the kernel takes for a server that reads nothing is the machine's affair, so its times are not reviewed.
pub(super) const STALLED: Script =
    script("a server that reads nothing", &["ready; sleep 600000"], "speak 600000; await 1; closed");

pub(super) const SCRIPTS: &[Script] = &[
    // Connecting.
    script("ready, and closed when the caller is done", &["ready"], "wait 1000; close"),
    script("closed when the last handle is dropped", &["ready"], "wait 1000; drop"),
    script("every state in its order", &["state new; state connecting; wait 100; ready"], "close"),
    script("a server that is never ready", &["state connecting"], ""),
    script("ready at the limit", &["wait 9900; ready"], "close"),
    script("a server that answers nothing", &["say nothing"], ""),
    script("a server that refuses the socket", &["refuse 403"], ""),
    script("a server that knows no such socket", &["refuse 404"], ""),
    script("closed before it is ready", &["close 1008"], ""),
    script("dropped before it is ready", &["drop"], ""),
    script("the session ends before it is ready", &["state closed"], ""),
    script(
        "noise is no event",
        &[
            "binary; raw hello; raw []; raw {}; raw {\"type\":7}; ready; wait 50; binary; raw hello; raw {\"type\":\"\"}",
        ],
        "subscribe; wait 100; read events; close",
    ),
    // Correlation.
    script(
        "told by the echoed id",
        &["ready; until speak; started id 1; until end; wait 1500; ended id 1"],
        "speak 1500; await 1; close",
    ),
    script(
        "told by the source id",
        &["ready; until speak; started source 1; until end; wait 1500; ended source 1"],
        "speak 1500; await 1; close",
    ),
    script(
        "told by the task",
        &["ready; until speak; started task 1; until end; wait 1500; ended task 1"],
        "speak 1500; await 1; close",
    ),
    script(
        "told by nothing",
        &["ready; until speak; started none; until end; wait 1500; ended none"],
        "speak 1500; await 1; close",
    ),
    script(
        "told by ids that nobody knows",
        &["ready; until speak; started made; until end; wait 1500; ended made"],
        "speak 1500; await 1; close",
    ),
    script(
        "started told by the source, ended by the task",
        &["ready; until speak; started id 1; until end; wait 1500; ended task 1"],
        "speak 1500; await 1; close",
    ),
    script(
        "a server that tells of no start",
        &["ready; until end; wait 1500; ended none"],
        "speak 1500; await 1; close",
    ),
    script(
        "two utterances told by nothing end in their order",
        &["ready; until end u2; started none; wait 500; ended none; started none; wait 700; ended none"],
        "speak 500; speak 700; await 1; await 2; close",
    ),
    script(
        "two utterances told by their tasks may end in any order",
        &[
            "ready; until end u2; started source 1; started source 2; started task 1; ended source 2; wait 300; ended source 1",
        ],
        "speak 500; speak 700; await 2; still 1; await 1; close",
    ),
    script(
        "an end for an id that is long done ends nothing",
        &[
            "ready; until end; started id 1; ended id 1; until end; started id 2; ended id 1; wait 800; ended id 2",
        ],
        "speak 500; await 1; speak 700; wait 500; still 2; await 2; close",
    ),
    script(
        "an end before anything was said ends nothing",
        &["ready; ended made; ended none; until end; started id 1; ended id 1"],
        "wait 100; speak 500; await 1; close",
    ),
    script(
        "an utterance that ran dry goes on",
        &[
            "ready; until speak; started id 1; wait 900; ended id 1; until speak; started id 1; until end; ended id 1",
        ],
        "speak 500 pause 2000 500; await 1; close",
    ),
    script(
        "an utterance that ran dry and had no more is finished when it is closed",
        &["ready; until speak; started id 1; wait 900; ended id 1"],
        "speak 500 pause 2000; await 1; close",
    ),
    script("an end that never comes", &["ready; until speak; started id 1"], "speak 4000; await 1; close"),
    script("a server that says nothing at all", &["ready"], "speak 500; speak 500; await 1; await 2; close"),
    script(
        "an end at the limit",
        &["ready; until end; wait 10900; started id 1; ended id 1"],
        "speak 1000; await 1; close",
    ),
    script("an utterance without audio", &["ready"], "speak; speak pause 100; await 1; await 2; close"),
    // Interrupting.
    script(
        "interrupted before there is audio",
        &["ready"],
        "speak hang; wait 100; interrupt; await 1; close",
    ),
    script(
        "interrupted before a frame is full",
        &["ready"],
        "speak 100 hang; wait 100; interrupt; await 1; wait 1000; close",
    ),
    script(
        "interrupted while audio waits for its time",
        &["ready; until speak; started id 1; until interrupt; cut id 1"],
        "speak 20000; wait 5000; interrupt; await 1; wait 5000; close",
    ),
    script(
        "interrupted while it is played",
        &["ready; until speak; started id 1; until interrupt; ended id 1"],
        "speak 2000; wait 1000; interrupt; await 1; wait 1000; close",
    ),
    script(
        "interrupted when all is over",
        &["ready; until end; started id 1; ended id 1"],
        "speak 500; await 1; interrupt; wait 100; close",
    ),
    script("interrupted when nothing was said", &["ready"], "interrupt; wait 100; close"),
    script(
        "interrupted twice",
        &["ready; until speak; started id 1; until interrupt; cut none; until interrupt; cut none"],
        "speak 5000; wait 500; interrupt; interrupt; await 1; wait 100; close",
    ),
    script(
        "an interrupt ends all that waits",
        &["ready"],
        "speak 5000; speak 500; speak 500; wait 500; interrupt; await 1; await 2; await 3; wait 2000; close",
    ),
    script(
        "what is said after an interrupt is not touched by it",
        &["ready; until end; started id 1; ended id 1"],
        "speak 5000; interrupt; speak 500; await 1; await 2; close",
    ),
    script(
        "a late end of the interrupted, told by id",
        &["ready; until speak; started id 1; until end; ended id 1; started id 2; wait 900; ended id 2"],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; still 2; await 2; close",
    ),
    script(
        "a late end of the interrupted, told by source",
        &[
            "ready; until speak; started source 1; until end; ended source 1; started source 2; wait 900; ended source 2",
        ],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; still 2; await 2; close",
    ),
    script(
        "a late end of the interrupted, told by task",
        &[
            "ready; until speak; started task 1; until end; ended task 1; started task 2; wait 900; ended task 2",
        ],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; still 2; await 2; close",
    ),
    script(
        "a late end of the interrupted, told by nothing",
        &["ready; until speak; started none; until end; ended none; started none; wait 900; ended none"],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; still 2; await 2; close",
    ),
    script(
        "a late start and end of the interrupted, told by nothing",
        &["ready; until end; started none; ended none; started none; wait 900; ended none"],
        "speak 5000; wait 100; interrupt; speak 1000; await 1; wait 400; still 2; await 2; close",
    ),
    script(
        "a late start and end of the interrupted, told by tasks",
        &["ready; until end; started task 1; ended task 1; started task 2; wait 900; ended task 2"],
        "speak 5000; wait 100; interrupt; speak 1000; await 1; wait 400; still 2; await 2; close",
    ),
    script(
        "after an interrupt that nobody heard of, a hasty server is believed in the end",
        &["ready; until end; started none; ended none"],
        "speak 5000; wait 100; interrupt; speak 1000; await 1; await 2; close",
    ),
    script(
        "a late word of the interrupt when the next is under way",
        &[
            "ready; until speak; started none; until end; cut none; cleared none; started none; wait 900; ended none",
        ],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; still 2; await 2; close",
    ),
    script(
        "cut off by the server, told by id",
        &["ready; until speak; started id 1; wait 500; cut id 1"],
        "speak 20000; speak 500; await 1; wait 2000; close",
    ),
    script(
        "cut off by the server, told by nothing",
        &["ready; until speak; started none; wait 500; cut none"],
        "speak 20000; await 1; wait 2000; close",
    ),
    // Failures.
    script(
        "an error about the utterance, told within",
        &["ready; until speak; error within 1"],
        "speak 20000; speak 500; await 1; wait 2000; close",
    ),
    script("an error told by source", &["ready; until speak; error source 1"], "speak 5000; await 1; close"),
    script("an error told by nothing", &["ready; until speak; error none"], "speak 5000; await 1; close"),
    script(
        "an error about another command fails no utterance",
        &["ready; until start; until end; error within other; started id 1; ended id 1"],
        "listen; speak 500; await 1; close",
    ),
    script(
        "starving fails no utterance",
        &["ready; until speak; starved none; starved id 1; until end; started id 1; ended id 1"],
        "speak 500; await 1; close",
    ),
    script(
        "a warning fails no utterance",
        &[
            "ready; until end; raw {\"type\":\"warning\",\"warning\":{\"type\":\"late\"}}; started id 1; ended id 1",
        ],
        "speak 500; await 1; close",
    ),
    script(
        "a source that fails half-way",
        &["ready; until end; started id 1; ended id 1; until end; started id 2; ended id 2"],
        "speak 1500 fail; await 1; speak 500; await 2; close",
    ),
    script("a source that fails at once", &["ready"], "speak fail; await 1; close"),
    script("a file that is no PCM", &["ready"], "speak wav; await 1; close"),
    script(
        "half a sample at the end is dropped",
        &["ready; until end; started id 1; ended id 1"],
        "speak 500 byte; await 1; close",
    ),
    // Connections that end.
    script(
        "dropped while speaking",
        &["ready; until speak; started id 1; drop", "ready; until end; started id 2; ended id 2"],
        "speak 20000; await 1; speak 500; await 2; close",
    ),
    script(
        "what waits survives a break",
        &["ready; until speak; drop", "ready; until end; started id 2; ended id 2"],
        "speak 20000; speak 500; await 1; await 2; close",
    ),
    script(
        "what was spoken while the connection is opened again is said then",
        &["ready; until speak; drop", "wait 2000; ready; until end; started id 2; ended id 2"],
        "speak 20000; await 1; speak 500; listen; await 2; close",
    ),
    script("dropped while idle", &["ready; wait 1000; drop", "ready"], "wait 5000; listen; wait 100; close"),
    script(
        "dropped, and nobody is there",
        &["ready; wait 1000; drop"],
        "speak 5000 hang; await 1; closed; listen",
    ),
    script("dropped, and refused", &["ready; wait 1000; drop", "refuse 410"], "closed; speak 500; await 1"),
    script("dropped, and never ready again", &["ready; wait 1000; drop", "state connecting"], "closed"),
    script(
        "dropped twice within a minute",
        &["ready; wait 1000; drop", "ready; wait 30000; drop", "ready"],
        "closed",
    ),
    script(
        "dropped again after more than a minute",
        &["ready; wait 1000; drop", "ready; wait 61000; drop", "ready"],
        "wait 70000; close",
    ),
    script("dropped, and no second try is wanted", &["ready; drop", "ready"], "with no reconnect; closed"),
    script("closed for good", &["ready; wait 100; close 1000"], "speak 5000; await 1; closed; interrupt"),
    script("closed for a reason of the service", &["ready; wait 100; close 4001"], "closed"),
    script(
        "closed for a restart",
        &["ready; wait 100; close 1012", "ready"],
        "wait 1000; listen; wait 100; close",
    ),
    script(
        "the session ends",
        &["ready; wait 500; state closing; wait 500; state closed"],
        "speak 5000; await 1; closed",
    ),
    script(
        "a session that connects again takes no commands meanwhile",
        &["ready; wait 100; state connecting; wait 3000; ready; until end; started id 1; ended id 1"],
        "wait 500; speak 500; listen; await 1; close",
    ),
    script(
        "closed while speaking",
        &["ready; until speak; started id 1"],
        "speak 5000; wait 500; close; await 1",
    ),
    // Keeping alive.
    script("kept alive while idle", &["ready"], "wait 200000; close"),
    script("not kept alive where that is not wanted", &["ready"], "with no keep-alive; wait 200000; close"),
    script(
        "the time to the next keep-alive counts from the last frame",
        &["ready"],
        "wait 50000; listen; wait 50000; speak 500; wait 61000; keep-alive; wait 50000; close",
    ),
    script("frames are told of", &["ready"], "with activity; speak 500; wait 61000; close"),
    script("pings are answered", &["ready; ping; wait 1000; ping"], "wait 2000; close"),
    script("pongs are not asked for", &["ready"], "with no keep-alive; wait 3000000; close"),
    // Listening.
    script("listening and not", &["ready"], "listen; wait 10; unlisten; wait 10; close"),
    // Pace and frames.
    script("audio that is there at once is paced", &["ready"], "speak 10000; wait 12000; interrupt; close"),
    script("paced by less", &["ready"], "with one second ahead; speak 4000; wait 6000; interrupt; close"),
    script("audio as it is spoken", &["ready"], "speak live 4000; wait 6000; interrupt; close"),
    script(
        "a pause flushes",
        &["ready"],
        "speak 100 pause 300 1000 pause 150 200 pause 5000; wait 6000; interrupt; close",
    ),
    script(
        "utterances follow each other at the pace of speech",
        &["ready"],
        "speak 2500; speak 2500; wait 6000; interrupt; close",
    ),
    // Readers.
    script(
        "events that are read late are all there",
        &["ready; wait 10; flood 20000; until end; started id 1; ended id 1"],
        "subscribe; speak pause 100 500; await 1; read events; close",
    ),
];
