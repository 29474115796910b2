//! Images as documents: a line of the list, all that is known of one, the steps that made it.

mod history;
mod inspect;
mod manifest;
mod overrides;
mod summary;

pub use history::{Step, history};
pub use inspect::{Inspect, inspect};
pub use manifest::{Manifest, manifest};
pub(crate) use overrides::overrides;
pub(crate) use summary::signed;
pub use summary::{Summary, summary};

use jiff::Timestamp;

/// Seconds since 1970 of what an image's configuration says; 0: it says nothing.
fn seconds(created: Option<&str>) -> i64 {
    let time = created.and_then(|text| text.parse::<Timestamp>().ok());
    time.map_or(0, Timestamp::as_second)
}
