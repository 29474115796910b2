//! The body of a request.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// How long a client that was answered before it has sent everything may go on: many read the answer only when they cannot
/// write any more, and tell nothing but that if the connection is closed meanwhile.
const REST: Duration = Duration::from_secs(1);

/// What the client sends. What nobody has read of it is taken and dropped for a while before the connection closes.
#[derive(Debug)]
pub(crate) struct Upload(Option<Incoming>);

impl Upload {
    pub(crate) fn new(body: Incoming) -> Upload {
        Upload(Some(body))
    }

    /// The next piece, which is not empty; `None` at the end.
    ///
    /// # Errors
    /// It broke off.
    pub(crate) async fn next(&mut self) -> Option<hyper::Result<Bytes>> {
        let piece = piece(self.0.as_mut()?).await;
        if !matches!(piece, Some(Ok(_))) {
            self.0 = None;
        }
        piece
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(mut body) = self.0.take()
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                let rest = async { while let Some(Ok(_)) = piece(&mut body).await {} };
                _ = timeout(REST, rest).await;
            });
        }
    }
}

async fn piece(body: &mut Incoming) -> Option<hyper::Result<Bytes>> {
    loop {
        match body.frame().await?.map(Frame::into_data) {
            Ok(Ok(data)) if !data.is_empty() => return Some(Ok(data)),
            // Trailers say nothing that we ask for.
            Ok(_) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}
