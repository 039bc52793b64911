//! Talking to the avatar: the codecs of both protocols, audio, and the LITE socket against scripted servers.

mod audio;
mod full;
mod lite;
mod mocked;
mod socket;
