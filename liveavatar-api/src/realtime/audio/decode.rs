//! Streams of PCM from streams and readers of other audio.

use std::task::{Poll, ready};
use std::{io, mem};

use futures_util::{Stream, StreamExt as _, future, stream};
use tokio::io::{AsyncRead, ReadBuf};

use crate::error::Error;

/// The largest piece that is read at once: 0.17 s of PCM.
pub(super) const PIECE: usize = 8 * 1024;

/// Decodes a stream up to its first error.
///
/// `None` is the end of the input. The decoder gets it twice, so that it can return the rest and then an error.
pub(super) fn decode<T>(
    chunks: impl Stream<Item = Result<T, Error>>,
    mut decoder: impl FnMut(Option<T>) -> Result<Vec<u8>, Error>,
) -> impl Stream<Item = Result<Vec<u8>, Error>> {
    let end = stream::iter([None, None]);
    let items = chunks.map(Some).chain(end).flat_map(move |chunk| {
        let (pcm, error) = match chunk.transpose() {
            Ok(chunk) => match decoder(chunk) {
                Ok(pcm) => (pcm, None),
                Err(error) => (Vec::new(), Some(error)),
            },
            // What arrived before the failure is not lost.
            Err(error) => (decoder(None).unwrap_or_default(), Some(error)),
        };
        let pcm = Some(pcm).filter(|pcm| !pcm.is_empty());
        stream::iter(pcm.map(Ok).into_iter().chain(error.map(Err)))
    });
    let mut failed = false;
    items.take_while(move |pcm| future::ready(!mem::replace(&mut failed, pcm.is_err())))
}

/// Returns what a reader yields, as it arrives.
pub(super) fn pieces<R: AsyncRead>(reader: R) -> impl Stream<Item = io::Result<Vec<u8>>> {
    let mut reader = Box::pin(reader);
    let mut buffer = vec![0; PIECE];
    stream::poll_fn(move |cx| {
        let mut buffer = ReadBuf::new(&mut buffer);
        let read = ready!(reader.as_mut().poll_read(cx, &mut buffer)).map(|()| buffer.filled().to_vec());
        Poll::Ready(Some(read).filter(|read| !read.as_ref().is_ok_and(Vec::is_empty)))
    })
}
