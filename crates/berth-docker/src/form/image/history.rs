//! A step of `GET /images/{name}/history`.

use berth_engine::image::Details;
use serde::Serialize;

use super::seconds;
use super::summary::signed;

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
#[allow(missing_docs)] // Docker's definition says it
pub struct Step {
    pub comment: String,
    pub created: i64,
    pub created_by: String,
    pub id: String,
    pub size: i64,
    pub tags: Option<Vec<String>>,
}

/// The steps, the latest first. Only the last one is an image that there is.
pub fn history(details: &Details) -> Vec<Step> {
    let mut sizes = details.layer_sizes.iter();
    let steps = details.image.config.history.iter().map(|step| {
        let size = match step.empty_layer {
            true => 0,
            false => sizes.next().copied().unwrap_or(0),
        };
        Step {
            comment: step.comment.clone(),
            created: seconds(step.created.as_deref()),
            created_by: step.created_by.clone(),
            id: "<missing>".to_owned(),
            size: signed(size),
            tags: None,
        }
    });
    let mut steps: Vec<Step> = steps.collect();
    steps.reverse();
    if let Some(last) = steps.first_mut() {
        last.id = details.image.id().to_string();
        last.tags = Some(details.tags.clone()).filter(|tags| !tags.is_empty());
    }
    steps
}
