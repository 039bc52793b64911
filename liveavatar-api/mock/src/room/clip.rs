//! Clips of the avatar: VP8 in IVF files that `clips/make.sh` makes.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// Size of the picture in pixels.
pub(super) const WIDTH: u32 = 320;
pub(super) const HEIGHT: u32 = 240;
/// Time from one frame to the next, 15 frames a second.
pub(super) const FRAME: Duration = Duration::from_nanos(1_000_000_000 / 15);

const FILE_HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 12;

static IDLE: LazyLock<Vec<Arc<[u8]>>> = LazyLock::new(|| frames(include_bytes!("clips/idle.ivf")));
static TALKING: LazyLock<Vec<Arc<[u8]>>> = LazyLock::new(|| frames(include_bytes!("clips/talking.ivf")));

/// Returns the frames of an IVF file.
fn frames(file: &[u8]) -> Vec<Arc<[u8]>> {
    let mut rest = file.get(FILE_HEADER_BYTES..).unwrap_or_default();
    let mut frames = Vec::new();
    while let Some((size, _)) = rest.split_first_chunk::<4>() {
        let size = u32::from_le_bytes(*size) as usize;
        let Some((frame, after)) =
            rest.get(FRAME_HEADER_BYTES..).and_then(|data| data.split_at_checked(size))
        else {
            break;
        };
        frames.push(frame.into());
        rest = after;
    }
    frames
}

/// Returns whether a VP8 frame is a key frame (RFC 6386, section 9.1).
pub(super) fn is_key_frame(frame: &[u8]) -> bool {
    frame.first().is_some_and(|byte| byte & 1 == 0)
}

/// The picture of one avatar: a loop of one of the two clips, each of which begins with its only key frame.
#[derive(Default)]
pub(super) struct Picture {
    is_talking: bool,
    next: usize,
}

impl Picture {
    pub(super) fn set_talking(&mut self, is_talking: bool) {
        if self.is_talking != is_talking {
            *self = Picture { is_talking, next: 0 };
        }
    }

    /// Makes the next frame a key frame.
    pub(super) fn restart(&mut self) {
        self.next = 0;
    }

    pub(super) fn next_frame(&mut self) -> Option<Arc<[u8]>> {
        let clip = if self.is_talking { &TALKING } else { &IDLE };
        let frame = clip.get(self.next % clip.len())?.clone();
        self.next += 1;
        Some(frame)
    }
}

#[cfg(test)]
mod tests {
    use super::{Picture, is_key_frame};

    #[test]
    fn a_change_of_the_clip_begins_with_a_key_frame() {
        let mut picture = Picture::default();
        let is_key = |picture: &mut Picture| is_key_frame(&picture.next_frame().unwrap());
        let loops: Vec<bool> = (0..31).map(|_| is_key(&mut picture)).collect();
        assert_eq!((loops[0], loops[1..30].contains(&true), loops[30]), (true, false, true));
        picture.set_talking(true);
        assert!(is_key(&mut picture) && !is_key(&mut picture));
        picture.restart();
        assert!(is_key(&mut picture));
    }
}
