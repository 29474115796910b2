//! A blob's bytes as they come, in order, whichever way they come: from one connection, or from several that each
//! bring a range of it (see `ahead`).

mod ahead;
mod part;

use berth_oci::{Descriptor, Reference};
use bytes::Bytes;

use crate::Error;
use crate::client::Client;
use ahead::Ahead;
use part::Part;

pub(crate) use ahead::room;

/// A blob on its way.
pub struct BlobStream {
    /// What is read in order.
    part: Part,
    ahead: Ahead,
}

impl Client {
    /// The blob of `descriptor` in the repository of `reference`, from byte `from` on (what the caller has
    /// already). Nothing is sent before the first [`BlobStream::next`].
    pub fn fetch_blob(
        &self,
        reference: &Reference,
        descriptor: &Descriptor,
        from: u64,
    ) -> BlobStream {
        BlobStream {
            part: Part::new(self, reference, descriptor, from),
            ahead: Ahead::default(),
        }
    }
}

impl BlobStream {
    /// The next bytes; `None`: that was all of them.
    ///
    /// # Errors
    /// Not there, not allowed; a length other than the descriptor's; cut off or silent as often as
    /// [`crate::Patience`] allows.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        self.ahead.fill(&self.part);
        if let Some(bytes) = self.ahead.next(self.part.offset()).await {
            self.part.passed(bytes.len() as u64);
            return Ok(Some(bytes));
        }
        let bytes = self.part.next().await?;
        Ok(bytes.map(|bytes| self.ahead.meet(&mut self.part, bytes)))
    }

    /// Bytes of the blob that are there, those included that the caller began with.
    pub fn offset(&self) -> u64 {
        self.part.offset()
    }
}
