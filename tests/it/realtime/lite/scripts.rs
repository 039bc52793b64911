//! The LITE socket against scripted servers, one test per script.
//!
//! Server steps: `ready`, `state S`, `until COMMAND` (reads up to that command), `wait MS` (reads meanwhile), `sleep MS` (does not
//! read), `started|ended|interrupted|error|starved HOW WHOSE`, `raw TEXT`, `fragments EVENT` (one byte in each), `compressed`,
//! `large BYTES`, `ping`, `pings N` (without reading the pongs), `pong`, `binary`, `flood N`, `drop`, `close CODE REASON`. HOW the event
//! identifies its utterance: `id`, `source`, `task`, `none`, `made` (an id that the server made up), `within` (inside the error). After
//! the last step the server reads on. `silent`, `endless`, `wrong key` and `reject STATUS` replace the handshake, and `deflate` changes
//! it.
//!
//! Caller audio: a number is milliseconds that are available at once; `live MS` arrives at the pace of speech; `pause MS` waits.

use super::script::play;

macro_rules! scripts {
    ($($name:ident: [$($server:literal),* $(,)?], $caller:literal;)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(play(&[$($server),*], $caller));
            }
        )*

        /// The connections of the server and the steps of the caller.
        const SCRIPTS: &[(&[&str], &str)] = &[$((&[$($server),*], $caller)),*];
    };
}

#[test]
fn a_script_plays_the_same_every_time() {
    for (server, caller) in SCRIPTS.iter().step_by(7) {
        assert_eq!(play(server, caller), play(server, caller), "{server:?} {caller}");
    }
}

/// Without a snapshot, because the times depend on the buffers of the operating system.
#[test]
fn a_server_that_does_not_read_ends_the_utterance_and_the_socket() {
    let record = play(&["ready; sleep 600000"], "speak 600000; await 1; closed");
    let lines: Vec<&str> = record.lines().map(|line| line[10..].split(',').next().unwrap()).collect();
    assert_eq!(
        lines[3..],
        [
            "caller speaks (600000)",
            "caller sees speech 1 end: lost",
            "caller sees the socket closed: ConnectionLost"
        ]
    );
}

scripts! {
    // Connecting.
    the_socket_is_ready_and_closes_on_request: ["ready"], "wait 1000; close";
    the_socket_closes_with_its_last_handle: ["ready"], "wait 1000; drop";
    connecting_waits_through_every_state: ["state new; state connecting; wait 100; ready"], "close";
    connecting_fails_if_the_server_is_never_ready: ["state connecting"], "";
    connecting_succeeds_just_before_the_time_limit: ["wait 9900; ready"], "close";
    connecting_fails_if_the_handshake_gets_no_response: ["silent"], "";
    connecting_fails_if_the_server_rejects_the_socket: ["reject 403"], "";
    connecting_fails_if_the_server_does_not_know_the_socket: ["reject 404"], "";
    connecting_fails_if_the_server_closes_first: ["close 1008"], "";
    connecting_fails_if_the_connection_drops: ["drop"], "";
    connecting_fails_if_the_session_has_ended: ["state closed"], "";

    connecting_fails_with_the_reason_of_the_server: ["close 1008 session not found"], "";
    connecting_fails_with_the_reason_of_the_session_s_end:
        ["raw {\"type\":\"session.stopped\",\"stop_reason\":\"NO_CREDITS\"}"],
        "";
    connecting_fails_if_the_response_to_the_handshake_does_not_end: ["endless"], "";
    connecting_fails_if_the_key_in_the_handshake_is_too_long: ["wrong key"], "";

    // Matching events to utterances.
    messages_that_are_not_events_are_ignored:
        [
            "binary; raw hello; raw []; raw {}; raw {\"type\":7}; ready; wait 50; binary; raw hello; raw {\"type\":\"\"}",
        ],
        "subscribe; wait 100; read events; close";
    events_are_matched_by_event_id:
        ["ready; until speak; started id 1; until end; wait 1500; ended id 1"],
        "speak 1500; await 1; close";
    events_are_matched_by_source_event_id:
        ["ready; until speak; started source 1; until end; wait 1500; ended source 1"],
        "speak 1500; await 1; close";
    events_are_matched_by_task:
        ["ready; until speak; started task 1; until end; wait 1500; ended task 1"],
        "speak 1500; await 1; close";
    events_without_an_id_are_matched_in_order:
        ["ready; until speak; started none; until end; wait 1500; ended none"],
        "speak 1500; await 1; close";
    events_with_unknown_ids_are_matched_in_order:
        ["ready; until speak; started made; until end; wait 1500; ended made"],
        "speak 1500; await 1; close";
    a_start_by_id_and_an_end_by_task_match:
        ["ready; until speak; started id 1; until end; wait 1500; ended task 1"],
        "speak 1500; await 1; close";
    an_end_without_a_start_is_accepted:
        ["ready; until end; wait 1500; ended none"],
        "speak 1500; await 1; close";
    two_utterances_without_ids_end_in_order:
        ["ready; until end u2; started none; wait 500; ended none; started none; wait 700; ended none"],
        "speak 500; speak 700; await 1; await 2; close";
    two_utterances_with_tasks_end_in_any_order:
        [
            "ready; until end u2; started source 1; started source 2; started task 1; ended source 2; wait 300; ended source 1",
        ],
        "speak 500; speak 700; await 2; pending 1; await 1; close";
    an_end_of_a_finished_utterance_is_ignored:
        [
            "ready; until end; started id 1; ended id 1; until end; started id 2; ended id 1; wait 800; ended id 2",
        ],
        "speak 500; await 1; speak 700; wait 500; pending 2; await 2; close";
    an_end_before_any_speech_is_ignored:
        ["ready; ended made; ended none; until end; started id 1; ended id 1"],
        "wait 100; speak 500; await 1; close";
    playback_continues_after_an_underrun:
        [
            "ready; until speak; started id 1; wait 900; ended id 1; until speak; started id 1; until end; ended id 1",
        ],
        "speak 500 pause 2000 500; await 1; close";
    an_utterance_that_played_out_finishes_when_it_is_complete:
        ["ready; until speak; started id 1; wait 900; ended id 1"],
        "speak 500 pause 2000; await 1; close";
    an_utterance_without_an_end_is_lost_after_the_end_margin:
        ["ready; until speak; started id 1"],
        "speak 4000; await 1; close";
    an_utterance_without_events_is_lost_after_the_end_margin:
        ["ready"],
        "speak 500; speak 500; await 1; await 2; close";
    an_end_just_before_the_end_margin_counts:
        ["ready; until end; wait 10900; started id 1; ended id 1"],
        "speak 1000; await 1; close";
    an_utterance_without_audio_is_finished: ["ready"], "speak; speak pause 100; await 1; await 2; close";

    // Interrupting.
    an_interrupt_before_any_audio_sends_no_frame:
        ["ready"],
        "speak hang; wait 100; interrupt; await 1; close";
    an_interrupt_before_a_full_frame_sends_no_frame:
        ["ready"],
        "speak 100 hang; wait 100; interrupt; await 1; wait 1000; close";
    an_interrupt_drops_audio_that_is_not_due:
        ["ready; until speak; started id 1; until interrupt; interrupted id 1"],
        "speak 20000; wait 5000; interrupt; await 1; wait 5000; close";
    an_interrupt_during_playback_stops_it:
        ["ready; until speak; started id 1; until interrupt; ended id 1"],
        "speak 2000; wait 1000; interrupt; await 1; wait 1000; close";
    an_interrupt_after_the_end_is_sent:
        ["ready; until end; started id 1; ended id 1"],
        "speak 500; await 1; interrupt; wait 100; close";
    an_interrupt_without_speech_is_sent: ["ready"], "interrupt; wait 100; close";
    two_interrupts_are_both_sent:
        [
            "ready; until speak; started id 1; until interrupt; interrupted none; until interrupt; interrupted none",
        ],
        "speak 5000; wait 500; interrupt; interrupt; await 1; wait 100; close";
    an_interrupt_ends_waiting_utterances:
        ["ready"],
        "speak 5000; speak 500; speak 500; wait 500; interrupt; await 1; await 2; await 3; wait 2000; close";
    an_interrupt_does_not_affect_later_speech:
        ["ready; until end; started id 1; ended id 1"],
        "speak 5000; interrupt; speak 500; await 1; await 2; close";
    a_late_end_of_interrupted_speech_is_ignored_by_id:
        ["ready; until speak; started id 1; until end; ended id 1; started id 2; wait 900; ended id 2"],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; pending 2; await 2; close";
    a_late_end_of_interrupted_speech_is_ignored_by_source_id:
        [
            "ready; until speak; started source 1; until end; ended source 1; started source 2; wait 900; ended source 2",
        ],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; pending 2; await 2; close";
    a_late_end_of_interrupted_speech_is_ignored_by_task:
        [
            "ready; until speak; started task 1; until end; ended task 1; started task 2; wait 900; ended task 2",
        ],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; pending 2; await 2; close";
    a_late_end_of_interrupted_speech_is_ignored_without_ids:
        ["ready; until speak; started none; until end; ended none; started none; wait 900; ended none"],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; pending 2; await 2; close";
    a_late_start_and_end_of_interrupted_speech_are_ignored_without_ids:
        ["ready; until end; started none; ended none; started none; wait 900; ended none"],
        "speak 5000; wait 100; interrupt; speak 1000; await 1; wait 400; pending 2; await 2; close";
    a_late_start_and_end_of_interrupted_speech_are_ignored_by_task:
        ["ready; until end; started task 1; ended task 1; started task 2; wait 900; ended task 2"],
        "speak 5000; wait 100; interrupt; speak 1000; await 1; wait 400; pending 2; await 2; close";
    an_ambiguous_early_end_is_accepted_after_a_while:
        ["ready; until end; started none; ended none"],
        "speak 5000; wait 100; interrupt; speak 1000; await 1; await 2; close";
    a_late_confirmation_of_an_interrupt_does_not_end_the_next_utterance:
        [
            "ready; until speak; started none; until end; interrupted none; cleared none; started none; wait 900; ended none",
        ],
        "speak 5000; wait 500; interrupt; speak 1000; await 1; wait 400; pending 2; await 2; close";
    an_interruption_by_the_server_is_matched_by_id:
        ["ready; until speak; started id 1; wait 500; interrupted id 1"],
        "speak 20000; speak 500; await 1; wait 2000; close";
    an_interruption_by_the_server_is_matched_without_an_id:
        ["ready; until speak; started none; wait 500; interrupted none"],
        "speak 20000; await 1; wait 2000; close";

    // Failures.
    an_error_with_an_inner_id_fails_its_utterance:
        ["ready; until speak; error within 1"],
        "speak 20000; speak 500; await 1; wait 2000; close";
    an_error_with_a_source_id_fails_its_utterance:
        ["ready; until speak; error source 1"],
        "speak 5000; await 1; close";
    an_error_without_an_id_fails_the_current_utterance:
        ["ready; until speak; error none"],
        "speak 5000; await 1; close";
    an_error_about_another_command_fails_no_utterance:
        ["ready; until start; until end; error within other; started id 1; ended id 1"],
        "listen; speak 500; await 1; close";
    starvation_fails_no_utterance:
        ["ready; until speak; starved none; starved id 1; until end; started id 1; ended id 1"],
        "speak 500; await 1; close";
    a_warning_fails_no_utterance:
        [
            "ready; until end; raw {\"type\":\"warning\",\"warning\":{\"type\":\"late\"}}; started id 1; ended id 1",
        ],
        "speak 500; await 1; close";
    a_source_that_fails_midway_fails_the_utterance:
        ["ready; until end; started id 1; ended id 1; until end; started id 2; ended id 2"],
        "speak 1500 fail; await 1; speak 500; await 2; close";
    a_source_that_fails_at_once_sends_nothing: ["ready"], "speak fail; await 1; close";
    a_container_format_is_rejected: ["ready"], "speak wav; await 1; close";
    half_a_sample_at_the_end_is_dropped:
        ["ready; until end; started id 1; ended id 1"],
        "speak 500 byte; await 1; close";

    // Lost connections.
    speech_is_lost_and_the_socket_reconnects_if_the_connection_drops:
        ["ready; until speak; started id 1; drop", "ready; until end; started id 2; ended id 2"],
        "speak 20000; await 1; speak 500; await 2; close";
    waiting_utterances_survive_a_reconnect:
        ["ready; until speak; drop", "ready; until end; started id 2; ended id 2"],
        "speak 20000; speak 500; await 1; await 2; close";
    utterances_wait_while_the_socket_reconnects:
        ["ready; until speak; drop", "wait 2000; ready; until end; started id 2; ended id 2"],
        "speak 20000; await 1; speak 500; listen; await 2; close";
    an_idle_socket_reconnects: ["ready; wait 1000; drop", "ready"], "wait 5000; listen; wait 100; close";
    the_socket_closes_if_reconnecting_fails:
        ["ready; wait 1000; drop"],
        "speak 5000 hang; await 1; closed; listen";
    the_socket_closes_if_the_server_rejects_the_reconnect:
        ["ready; wait 1000; drop", "reject 410"],
        "closed; speak 500; await 1";
    the_socket_closes_if_the_reconnect_is_never_ready:
        ["ready; wait 1000; drop", "state connecting"],
        "closed";
    a_second_drop_within_a_minute_closes_the_socket:
        ["ready; wait 1000; drop", "ready; wait 30000; drop", "ready"],
        "closed";
    a_second_drop_after_a_minute_reconnects:
        ["ready; wait 1000; drop", "ready; wait 61000; drop", "ready"],
        "wait 70000; close";
    the_socket_closes_if_reconnecting_is_disabled: ["ready; drop", "ready"], "with no reconnect; closed";
    a_normal_close_code_closes_the_socket:
        ["ready; wait 100; close 1000"],
        "speak 5000; await 1; closed; interrupt";
    a_private_close_code_closes_the_socket: ["ready; wait 100; close 4001"], "closed";
    a_close_reason_is_kept: ["ready; wait 100; close 1008 session not found"], "closed";
    a_close_reason_does_not_show_the_address: ["ready; wait 100; close 4003 bad token canary-socket-token"], "closed";
    a_close_frame_without_a_code_is_code_1005: ["ready; wait 100; close none"], "closed";
    a_restart_close_code_reconnects:
        ["ready; wait 100; close 1012", "ready"],
        "wait 1000; listen; wait 100; close";
    the_socket_closes_when_the_session_ends:
        ["ready; wait 500; state closing; wait 500; state closed"],
        "speak 5000; await 1; closed";
    a_stopped_session_ends_the_speech_and_the_socket_at_once:
        ["ready; until speak; started id 1; wait 500; raw {\"type\":\"session.stopped\",\"stop_reason\":\"IDLE_TIMEOUT\"}"],
        "subscribe; speak 5000; await 1; closed; read events";
    a_stopped_session_is_not_reconnected:
        ["ready; wait 500; raw {\"type\":\"session_stopped\",\"end_reason\":\"HOUSE_ON_FIRE\"}; drop", "ready"],
        "closed";
    a_stopped_session_without_a_reason_ends_the_socket:
        ["ready; wait 500; raw {\"type\":\"session.stopped\",\"stop_reason\":null}; close 1000"],
        "closed";
    an_ending_session_is_not_reconnected:
        ["ready; wait 500; state closing; wait 500; drop", "ready"],
        "speak 5000; await 1; closed";
    an_ending_session_whose_socket_is_closed_has_ended:
        ["ready; wait 500; state closing; wait 500; close 1012", "ready"],
        "closed";
    no_commands_are_sent_while_the_session_reconnects:
        ["ready; wait 100; state connecting; wait 3000; ready; until end; started id 1; ended id 1"],
        "wait 500; speak 500; listen; await 1; close";
    closing_the_socket_loses_current_speech:
        ["ready; until speak; started id 1"],
        "speak 5000; wait 500; close; await 1";

    // Progress.
    the_start_and_the_progress_of_playback_are_reported:
        ["ready; until end; wait 300; started id 1; wait 1500; ended id 1"],
        "speak 1500; progress 1; started 1; wait 500; progress 1; await 1; progress 1; close";
    progress_continues_while_more_audio_is_sent:
        ["ready; until speak; wait 200; started id 1"],
        "speak 10000; started 1; wait 4500; progress 1; interrupt; await 1; progress 1; close";
    an_utterance_that_is_interrupted_before_it_starts_has_played_nothing:
        ["ready; until end u2; started id 1"],
        "speak 1500; speak 500; started 1; wait 400; interrupt; await 1; await 2; started 2; close";
    playback_that_runs_out_of_audio_makes_no_progress:
        ["ready; until speak; started id 1"],
        "speak 500 pause 3000 2000; wait 2000; progress 1; wait 2000; progress 1; interrupt; await 1; close";
    a_reported_underrun_stops_the_progress_until_the_next_start:
        ["ready; until speak; started id 1; wait 600; ended id 1; until speak; wait 700; started id 1"],
        "speak 500 pause 2000 1500; wait 2600; progress 1; wait 600; progress 1; interrupt; await 1; close";
    a_repeated_start_does_not_set_the_progress_back:
        ["ready; until speak; started id 1; wait 900; started id 1"],
        "speak 2500; wait 1500; progress 1; interrupt; await 1; close";
    a_pose_reports_the_start_if_nothing_else_does:
        [
            "ready; until speak; wait 300; raw {\"type\":\"agent.state_updated\",\"new_state\":\"talking\"}",
        ],
        "speak 2500; started 1; wait 1500; progress 1; interrupt; await 1; close";
    the_start_is_assumed_if_the_server_never_reports_one:
        ["ready"],
        "speak 1500; speak 1500; wait 900; progress 1; wait 600; progress 1; wait 1500; interrupt; await 1; await 2; close";
    progress_stops_when_the_connection_drops:
        ["ready; until speak; started id 1; wait 1200; drop"],
        "with no reconnect; speak 5000; await 1; wait 1000; progress 1";

    // Keep-alive.
    an_idle_socket_sends_keep_alives: ["ready"], "wait 200000; close";
    keep_alives_can_be_disabled: ["ready"], "with no keep-alive; wait 200000; close";
    the_keep_alive_interval_counts_from_the_last_frame:
        ["ready"],
        "wait 50000; listen; wait 50000; speak 500; wait 61000; keep-alive; wait 50000; close";
    the_activity_callback_runs_for_each_frame: ["ready"], "with activity; speak 500; wait 61000; close";
    a_server_that_reads_no_pongs_is_disconnected_at_once:
        ["ready; pings 200000"],
        "with no reconnect; closed";
    many_pings_get_pongs: ["ready; ping; ping; ping; ping; wait 1000; ping"], "wait 2000; close";
    pongs_that_nobody_asked_for_are_ignored:
        ["pong; ready; pong; until end; pong; started id 1; wait 5000; pong; ended id 1"],
        "speak 500; wait 600; pending 1; await 1; close";
    pings_get_pongs: ["ready; ping; wait 1000; ping"], "wait 2000; close";
    the_socket_needs_no_pongs: ["ready"], "with no keep-alive; wait 3000000; close";

    // Listening.
    the_listening_pose_starts_and_stops: ["ready"], "listen; wait 10; unlisten; wait 10; close";

    // Pace and frames.
    audio_is_sent_ahead_of_playback_by_a_limit: ["ready"], "speak 10000; wait 12000; interrupt; close";
    the_limit_ahead_of_playback_can_be_lowered:
        ["ready"],
        "with one second ahead; speak 4000; wait 6000; interrupt; close";
    live_audio_is_sent_as_it_arrives: ["ready"], "speak live 4000; wait 6000; interrupt; close";
    a_pause_sends_an_incomplete_frame:
        ["ready"],
        "speak 100 pause 300 1000 pause 150 200 pause 5000; wait 6000; interrupt; close";
    consecutive_utterances_are_paced_together:
        ["ready"],
        "speak 2500; speak 2500; wait 6000; interrupt; close";

    // Frames.
    a_fragmented_event_is_read: ["fragments ready; until end; fragments started id 1; fragments ended id 1"], "speak 500; await 1; close";
    an_event_of_a_megabyte_is_read: ["ready; large 1048576"], "subscribe; wait 100; read events; close";
    a_larger_event_is_missed: ["ready; large 1048577; raw {\"type\":\"next\"}"], "subscribe; wait 100; read events; close";
    the_largest_message_is_skipped: ["ready; large 16777216; raw {\"type\":\"next\"}"], "subscribe; wait 100; read events; close";
    a_larger_message_breaks_the_connection: ["ready; large 16777217; wait 100"], "with no reconnect; closed";
    a_compressed_frame_breaks_the_connection: ["ready; wait 100; compressed"], "with no reconnect; closed";
    connecting_fails_if_the_server_compresses: ["deflate; compressed"], "";
    a_server_that_may_compress_and_does_not_is_accepted: ["deflate; ready"], "wait 100; close";

    // Readers.
    events_right_after_the_handshake_are_kept_for_the_first_subscription:
        ["state connecting; ready; flood 200"],
        "wait 100; subscribe; wait 100; read events; subscribe; read events; close";
    too_many_events_before_the_first_subscription_are_dropped:
        ["ready; flood 2000; wait 100; raw {\"type\":\"late\"}"],
        "wait 50; subscribe; wait 100; read events; close";
    events_are_kept_after_the_socket_is_closed: ["ready; wait 10; flood 3; close 1000"], "closed; subscribe; read events; subscribe; read events";
    a_reader_that_is_too_slow_misses_events: ["ready; flood 40000; wait 100; raw {\"type\":\"late\"}"], "subscribe; wait 50; read events; wait 100; read events; close";
    a_slow_reader_gets_every_event:
        ["ready; wait 10; flood 20000; until end; started id 1; ended id 1"],
        "subscribe; speak pause 100 500; await 1; read events; close";
}
