//! What the negotiation needs beyond str0m: reading the names of a client's tracks, and naming ours in an answer.

use str0m::media::Mid;

/// Returns the sections of a session description without the part before the first one.
fn sections(sdp: &str) -> impl Iterator<Item = &str> {
    sdp.split("\r\nm=").skip(1)
}

fn attribute<'a>(section: &'a str, name: &str) -> Option<&'a str> {
    section.lines().find_map(|line| line.strip_prefix("a=")?.strip_prefix(name)?.strip_prefix(':'))
}

fn mid(section: &str) -> Option<Mid> {
    attribute(section, "mid").map(Mid::from)
}

pub(super) fn mids(sdp: &str) -> Vec<Mid> {
    sections(sdp).filter_map(mid).collect()
}

/// Returns the name that a client gives to the track of a section.
pub(super) fn track_name(sdp: &str, wanted: Mid) -> Option<&str> {
    let section = sections(sdp).find(|section| mid(section) == Some(wanted))?;
    attribute(section, "msid")?.split(' ').nth(1)
}

/// Makes the sections that the client prepared, and that are not used yet, inactive and nameless.
pub(super) fn silence_unused(sdp: &str, used: &[Mid]) -> String {
    let mut parts = sdp.split("\r\nm=");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for section in parts {
        result.push_str("\r\nm=");
        let is_used = mid(section).is_none_or(|mid| used.contains(&mid));
        if is_used || !section.contains("\r\na=sendonly") {
            result.push_str(section);
            continue;
        }
        let lines = section.split("\r\n");
        let kept = lines.filter(|line| !line.starts_with("a=msid:") && !line.starts_with("a=ssrc"));
        let kept: Vec<&str> =
            kept.map(|line| if line == "a=sendonly" { "a=inactive" } else { line }).collect();
        result.push_str(&kept.join("\r\n"));
    }
    result
}

#[cfg(test)]
mod tests {
    use super::{mids, silence_unused, track_name};
    use str0m::media::Mid;

    const OFFER: &str = "v=0\r\nm=audio 9\r\na=mid:0\r\na=msid:- one\r\na=sendonly\r\na=ssrc:1 cname:x\r\n\
        m=audio 9\r\na=mid:1\r\na=msid:- two\r\na=sendonly\r\na=ssrc:2 cname:x\r\n\
        m=application 9\r\na=mid:2\r\n";

    #[test]
    fn the_names_of_tracks_are_read() {
        assert_eq!(mids(OFFER), ["0", "1", "2"].map(Mid::from));
        assert_eq!(track_name(OFFER, Mid::from("1")), Some("two"));
        assert_eq!(track_name(OFFER, Mid::from("2")), None);
    }

    #[test]
    fn only_unused_media_sections_become_inactive() {
        let expected = "v=0\r\nm=audio 9\r\na=mid:0\r\na=msid:- one\r\na=sendonly\r\na=ssrc:1 cname:x\r\n\
            m=audio 9\r\na=mid:1\r\na=inactive\r\nm=application 9\r\na=mid:2\r\n";
        assert_eq!(silence_unused(OFFER, &[Mid::from("0")]), expected);
    }
}
